"""`alphaplus live`: the exchanges' public streams, verbatim into the raw topics."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from flows import market
from flows.commands.options import Data, File, Minutes, Sets, settings
from flows.kafka.prefix_publisher import Publisher
from flows.kafka.topic_making import create_topics
from flows.monitoring.log_lines import LOG, speak
from flows.monitoring.probes import Judge, serve
from flows.monitoring.wall_clock import CLOCK, watched
from flows.session.supervisor import end_with_parent
from flows.settings.tree import SettingsError

FOREVER_S = 10 * 365 * 86_400.0


def live(
    *instrument: Annotated[str, Parameter(help="VENUE:SYMBOL[,SYMBOL...], as often as needed")],
    minutes: Minutes = 0.0,
    set: Sets = (),
    config: File = None,
    data: Data = None,
) -> int:
    """Receive instruments from their exchanges, no key needed, and publish every frame as it came."""
    from flows.live.feeds_by_venue import FEEDS  # noqa: PLC0415
    from flows.live.outlet import Topics  # noqa: PLC0415 - the websocket library is imported by those who listen
    from flows.live.receiver import Receiver  # noqa: PLC0415
    from flows.live.receivers import AGAIN, refuse_unknown, run, wanted  # noqa: PLC0415
    from schemas.venues.registry import VENUES  # noqa: PLC0415

    end_with_parent()
    by_venue = wanted(instrument)
    told = settings(config, set, data)
    refuse_unknown(told.live)
    if not told.kafka.brokers:
        raise SettingsError("kafka.brokers is not set; `alphaplus record` writes to files instead")
    speak("live", told.log.format)
    for venue in by_venue:
        if venue not in told.market.venues:
            LOG.warning("%s is not among market.venues: flows with these settings do not read it", venue)
    told = msgspec.structs.replace(told, market=told.market.only(by_venue))
    known, kafka = market.known_instruments(told), told.kafka
    create_topics(kafka, market.topics(told), kafka.partitions)
    if told.metrics_port:
        serve(told.metrics_host, told.metrics_port, Judge(told.probes, epochs=False))
    receivers = []
    for name, symbols in by_venue.items():
        # what waits for Kafka is bounded by the buffer; giving up would lose what the client library holds
        publisher = Publisher(kafka, FOREVER_S)
        outlet = Topics(
            publisher, name, VENUES[name].kinds, kafka.prefix, kafka.partitions, kafka.mark_ms, told.windows
        )
        receivers.append(Receiver(FEEDS[name], VENUES[name], symbols, known.get(name, {}), told.live, outlet))
    with watched("live", AGAIN):
        run(receivers, 60 * minutes or None, CLOCK)
    return 0
