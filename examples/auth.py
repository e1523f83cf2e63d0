#!/usr/bin/env python3
"""Accounts of a shop's own for `gftp serve --auth-program`: a small SQLite database, named by AUTH_DB.

    echo PASSWORD | AUTH_DB=shop.db examples/auth.py add NAME HOME RIGHTS
    AUTH_DB=shop.db gftp serve --root DIR --auth-program examples/auth.py

gftp starts a few of these, writes a line of JSON for each login and reads a line back, for as long as it runs. The answer
repeats the question's "id". Beside "allow" it may have every key of a users file but "name" and "hash": "rights" (a must),
"home", "networks", "denied-networks", "sessions", "expires", "download", "upload" and so on. What is written to stderr is in gftp's log.
"""

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import sys

SCHEMA = "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, salt BLOB, hash BLOB, home TEXT, rights TEXT)"


def database():
    """The database; where there is none it is made."""
    connection = sqlite3.connect(os.environ.get("AUTH_DB", "auth.db"))
    with connection:
        connection.execute(SCHEMA)
    return connection


def digest(password, salt):
    """What is kept of a password."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def add(name, home, rights):
    """One more account; its password is the first line of standard input."""
    salt, password = secrets.token_bytes(16), sys.stdin.readline().rstrip("\r\n")
    with database() as connection:
        row = (name, salt, digest(password, salt), home, rights)
        connection.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?)", row)


def judge(connection, question):
    """What becomes of a login."""
    query = "SELECT salt, hash, home, rights FROM account WHERE name = ?"
    row = connection.execute(query, (question["user"],)).fetchone()
    # An unknown name takes as long as a known one.
    salt, kept, home, rights = row or (b"nobody", b"", "/", "full")
    is_right = hmac.compare_digest(digest(question["password"], salt), kept)
    if row is None or not is_right:
        return {"allow": False, "reason": "unknown to the shop" if row is None else "a wrong password"}
    return {"allow": True, "home": home, "rights": rights}


def serve():
    """A line for each line, until there are no more."""
    connection = database()
    for line in sys.stdin:
        question = json.loads(line)
        answer = judge(connection, question)
        print(json.dumps({"id": question["id"], **answer}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["add"] and len(sys.argv) == 5:
        add(*sys.argv[2:])
    elif len(sys.argv) == 1:
        serve()
    else:
        sys.exit("auth.py add NAME HOME RIGHTS, or nothing, to be asked by gftp")
