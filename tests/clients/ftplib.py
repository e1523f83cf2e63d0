"""Does FTP steps with Python's ftplib: HOST PORT USER PASSWORD passive|active, steps on standard input.

A step is a line: a word and its arguments, separated by tabs. Any failure ends the script with a traceback.
"""

import ftplib
import hashlib
import io
import os
import sys
import zlib

host, port, user, password, mode = sys.argv[1:]
sys.stdin.reconfigure(encoding="utf-8", newline="\n")
sys.stdout.reconfigure(encoding="utf-8")


def listing(ftp, folder):
    """NLST and MLSD name the same things, but that only MLSD has hidden ones; both are printed."""
    names = ftp.nlst(folder) if folder else ftp.nlst()
    names = [name.rsplit("/", 1)[-1] for name in names]
    facts = dict(ftp.mlsd(folder))
    known = {name for name, fact in facts.items() if fact["type"] in ("file", "dir")}
    assert {name for name in known if not name.startswith(".")} == {
        name for name in names if not name.startswith(".")
    }, (names, facts)
    ftp.retrlines("LIST " + folder if folder else "LIST")
    print("\n".join(names))


def get(ftp, remote, local):
    with open(local, "wb") as file:
        ftp.retrbinary("RETR " + remote, file.write)
    ftp.voidcmd("TYPE I")
    assert ftp.size(remote) == os.path.getsize(local)


def put(ftp, local, remote):
    with open(local, "rb") as file:
        ftp.storbinary("STOR " + remote, file)


def reget(ftp, remote, local):
    with open(local, "ab") as file:
        ftp.retrbinary("RETR " + remote, file.write, rest=file.tell())


def reput(ftp, local, remote):
    ftp.voidcmd("TYPE I")
    have = ftp.size(remote)
    with open(local, "rb") as file:
        file.seek(have)
        ftp.storbinary("STOR " + remote, file, rest=have)


def append(ftp, local, remote):
    with open(local, "rb") as file:
        ftp.storbinary("APPE " + remote, file)


def mkdir(ftp, path):
    """The 257 reply quotes the path; ftplib undoes the doubled quotes, and must get what it gave."""
    made = ftp.mkd(path)
    assert made == "/" + path, (made, path)


def walk_folders(ftp):
    for name in ["a b", 'q"u"o', "日本", " lead", "trail ", "[x]"]:
        ftp.mkd(name)
        ftp.cwd(name)
        assert ftp.pwd() == "/" + name, (ftp.pwd(), name)
        assert ftp.nlst() == []
        ftp.cwd("..")
        assert ftp.pwd() == "/"
        ftp.rmd(name)


def text(ftp):
    lines = []
    ftp.retrlines("RETR text", lines.append)
    assert lines == ["one", "two", "", "three"], lines
    data = bytearray()
    ftp.voidcmd("TYPE A")
    with ftp.transfercmd("RETR text") as conn:
        while block := conn.recv(8192):
            data += block
    ftp.voidresp()
    assert data == b"one\r\ntwo\r\n\r\nthree", data
    ftp.storlines("STOR stored text", io.BytesIO(b"uno\ndos\n"))


def abort(ftp, size):
    """ABOR as urgent data while much is unread: the session lives on."""
    ftp.voidcmd("TYPE I")
    with ftp.transfercmd("RETR big") as conn:
        assert conn.recv(1000)
        reply = ftp.abort()
    assert reply[:3] in ("426", "225", "226"), reply
    if reply[:3] == "426":
        reply = ftp.voidresp()
        assert reply[:3] == "226", reply
    assert ftp.size("big") == size
    assert ftp.sendcmd("NOOP").startswith("200")


def facts(ftp):
    """Times and modes as programs set them, and as MLSD tells them then."""
    for command in [
        "MFMT 20010909014640 one",
        "MFF Modify=20010909014640;UNIX.mode=0640; two",
        "SITE UTIME 20010909014640 three",
    ]:
        ftp.storbinary("STOR " + command.rsplit(" ", 1)[1], io.BytesIO(b"x"))
        assert ftp.sendcmd(command)[0] == "2", command
    told = dict(ftp.mlsd("", facts=["modify", "unix.mode"]))
    assert all(told[name]["modify"] == "20010909014640" for name in ["one", "two", "three"]), told
    assert told["two"]["unix.mode"] == "0640", told
    refused(ftp.sendcmd, "MFF Modify=20020909014640;UNIX.owner=root; one")
    assert ftp.sendcmd("MDTM one") == "213 20010909014640"


def refused(call, *args):
    try:
        answer = call(*args)
    except ftplib.error_perm:
        return
    raise AssertionError((call, args, answer))


def digests(ftp, size):
    """Digests of a file and of a part, and the part itself, agree with hashlib; zlib has the word on CRC32."""
    data = bytearray()
    ftp.retrbinary("RETR big", data.extend)
    for name, old in [("SHA-256", "XSHA256"), ("SHA-512", "XSHA512"), ("SHA-1", "XSHA1"), ("MD5", "XMD5")]:
        ftp.sendcmd("OPTS HASH " + name)
        whole = hashlib.new(name.replace("-", ""), data).hexdigest()
        assert ftp.sendcmd("HASH big") == f"213 {name} 0-{size - 1} {whole} big"
        part = hashlib.new(name.replace("-", ""), data[7:1234567]).hexdigest()
        assert ftp.sendcmd(f"{old} big 7 1234567") == "250 " + part.upper()
    assert ftp.sendcmd("XCRC big") == "250 %08X" % zlib.crc32(data)
    ftp.voidcmd("TYPE I")
    assert ftp.sendcmd("RANG 7 1234566")[:3] == "350"
    received = bytearray()
    with ftp.transfercmd("RETR big") as conn:
        while block := conn.recv(8192):
            received += block
    ftp.voidresp()
    assert received == data[7:1234567]
    assert int(ftp.sendcmd("DSIZ")[4:]) >= size and int(ftp.sendcmd("AVBL")[4:]) > 0


def everything(ftp, size):
    listing(ftp, "")
    walk_folders(ftp)
    text(ftp)
    abort(ftp, int(size))
    digests(ftp, int(size))
    refused(ftp.cwd, "absent")
    refused(ftp.size, "absent")
    refused(ftp.sendcmd, "MDTM absent")
    refused(lambda: list(ftp.mlsd("absent")))
    assert ftp.sendcmd("MDTM big")[:3] == "213"
    for command in ["SYST", "HELP", "STAT", "FEAT"]:
        assert ftp.sendcmd(command)[0] == "2", command
    for bad in ["anonymous", user]:
        with ftplib.FTP() as other:
            other.connect(host, int(port), timeout=30)
            refused(other.login, bad, "wrong")


DEEDS = {
    "list": listing,
    "get": get,
    "put": put,
    "reget": reget,
    "reput": reput,
    "append": append,
    "rename": lambda ftp, source, target: ftp.rename(source, target),
    "delete": lambda ftp, path: ftp.delete(path),
    "mkdir": mkdir,
    "rmdir": lambda ftp, path: ftp.rmd(path),
    "everything": everything,
    "facts": facts,
}

with ftplib.FTP(encoding="utf-8") as session:
    session.set_debuglevel(1)
    session.connect(host, int(port), timeout=30)
    session.login(user, password)
    session.set_pasv(mode == "passive")
    for line in sys.stdin:
        word, *arguments = line.rstrip("\n").split("\t")
        DEEDS[word](session, *arguments)
