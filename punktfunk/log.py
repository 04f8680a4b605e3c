"""The log: stdlib logging, one line per record, ``key=value`` text, beside serve's events.

Modules write ``logger.info("client paired", extra={"client": name})``; keys of ``extra`` become pairs at the
end of the line. Text from the network is escaped here, once: a device name cannot forge a second line or move
the cursor.
"""

import logging
import sys
import time
from typing import Literal, TextIO, get_args

LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def printable(text: str) -> str:
    """``text`` on one line: control, bidirectional and other unprintable characters become escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def quoted(value: object) -> str:
    """Return a value as it stands after ``key=``: bare when it is one plain word, else in double quotes."""
    text = printable(str(value))
    if text and not any(character in ' "=' for character in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class KeyValueFormatter(logging.Formatter):
    """``12:03:44.120 info http client paired client=Deck address=192.168.1.7``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line per record; a traceback follows on lines of its own."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        where = record.name.rpartition(".")[2]
        pairs = [
            f"{key}={quoted(value)}" for key, value in vars(record).items() if key not in _PLAIN_ATTRIBUTES
        ]
        line = " ".join(
            [
                f"{clock}.{int(record.msecs):03d}",
                record.levelname.lower(),
                where,
                printable(record.getMessage()),
                *pairs,
            ]
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


def set_up_logging(level: LogLevel, stream: TextIO | None = None) -> None:
    """Send punktfunk's records to ``stream`` (standard output by default); libraries speak from warning on.

    A second call replaces the first, so tests and ``--debug`` can change their mind.
    """
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(KeyValueFormatter())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, KeyValueFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.getLogger("punktfunk").setLevel(level.upper())
    # aioquic warns of whatever a stranger's packet gets wrong; ours are counted and told once a minute.
    logging.getLogger("quic").setLevel(logging.WARNING if level == "debug" else logging.ERROR)
