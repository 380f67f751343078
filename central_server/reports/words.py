"""What each figure is called and, in one sentence, what it is made of."""

from central_server.dashboard.i18n import N_

NAMES = {
    "respond_median": N_("Repair: first answer, median"),
    "respond_p90": N_("Repair: first answer, nine of ten within"),
    "finish_median": N_("Repair: finished, median"),
    "finish_p90": N_("Repair: finished, nine of ten within"),
    "sla_kept": N_("Promised times kept"),
    "inspection_done": N_("Inspection completed"),
    "collection_rate": N_("Collection rate"),
    "online_rate": N_("Paid online"),
}

DEFINITIONS = {
    "respond_median": N_(
        "Of the work orders finished in the month: the time from the report until somebody accepted, nights "
        "and holidays included. Half of them took no longer."
    ),
    "respond_p90": N_("The same time; nine of ten took no longer."),
    "finish_median": N_(
        "Of the work orders finished in the month: the time from the report until the work was done, nights, "
        "holidays and pauses included. Half of them took no longer."
    ),
    "finish_p90": N_("The same time; nine of ten took no longer."),
    "sla_kept": N_(
        "Of the work orders finished in the month that have promised times: the share whose first answer and "
        "finish both came in time, on the business calendar, pauses taken off."
    ),
    "inspection_done": N_(
        "Of the rounds whose window ended in the month: the share that was walked, late ones included. Excused "
        "rounds do not count."
    ),
    "collection_rate": N_("Of the bills due in the month: the share of the money that has been received by now."),
    "online_rate": N_(
        "Of the money received in the month, what was given back taken off: the share paid by WeChat Pay or Alipay."
    ),
}

KINDS = {"electricity": N_("Electricity"), "water": N_("Water")}
