"""Reads a whole log as programs do, with nothing of gftp's: `parse.py json|xferlog FILE`.

Whatever is no such log ends this with an exception. A JSON log is printed again, one object a line; an xferlog as
one list of fields a line.
"""
import datetime
import json
import sys
import unicodedata

form, path = sys.argv[1:]
data = open(path, "rb").read()
assert data.endswith(b"\n"), "the last line has no end"
text = data.decode("utf-8")
lines = text.split("\n")[:-1]
# What ends a line for some reader ends one for each.
assert lines == text.splitlines(), "there are line ends that are none"
for line in lines:
    # The joiners of scripts and emoji are letters' own.
    seen = line.replace("\u200c", "").replace("\u200d", "")
    hidden = [c for c in seen if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    assert not hidden, (hidden, line)
    if form == "json":
        record = json.loads(line)
        assert isinstance(record, dict)
        datetime.datetime.strptime(record["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        assert isinstance(record["message"], str)
        assert record["level"] in ("ERROR", "WARN", "INFO", "DEBUG", "TRACE")
    else:
        record = line.split()
        assert len(record) == 18, record
        # Only the day of the month is padded: everything else is parted by one space.
        assert line == " ".join(record[:2]) + " " + record[2].rjust(2) + " " + " ".join(record[3:]), line
    print(json.dumps(record))
