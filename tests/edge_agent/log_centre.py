"""A centre for tests of the gateway: the one of the simulation, with a log to look into."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_server.sync import intake
from edge_agent.answer import Answer, read_batch_answer
from edge_agent.transport import Reply
from protocols.sync import Lane, Record
from scripts.chaos.simulated_centre import Centre, Forked, refusal

KEY = Ed25519PrivateKey.from_private_bytes(b"the signing key of a test's gate")


class LogCentre(Centre):
    """Answers one gateway, which signs with ``KEY``."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(KEY.public_key().public_bytes_raw().hex())

    def deliver(self, body: bytes) -> Reply:
        try:
            return super().deliver(body)
        except Forked:
            return refusal(409, "sync_fork")

    def answer(self, body: bytes) -> Answer:
        """Take a batch, and give the answer as the gateway reads it."""
        reply = self.deliver(body)
        return read_batch_answer(reply.status, None, reply.body)

    def records(self, lane: Lane) -> list[Record]:
        """Give a lane's records as they came, each once."""
        logged = ((header, from_seq, body) for header, from_seq, body in self.log if header.lane is lane)
        return [
            record
            for header, from_seq, body in logged
            for seq, record in intake.numbered(body, self.series(header.epoch)).items()
            if seq >= from_seq
        ]

    def put_back(self, epoch: int, lane: Lane, mark: int) -> None:
        """Be an older backup: without the last batch."""
        self.marks[epoch, lane] = mark
        self.log.pop()
        self.of_lane[epoch, lane].pop()
