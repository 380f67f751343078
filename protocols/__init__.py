"""Sans-io codecs and the shapes that edge and centre share: no sockets, clocks or threads."""
