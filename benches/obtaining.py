"""Where the peers of benches/peers come from: looked for, else unpacked below target/peers.

Refuses to know how they are started. Nothing is installed into the system but what Python, Rust and certificates need:
Debian's FTP servers throw each other out and start themselves.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

# Pinned, so that two runs in different years compare with the same peer; pyOpenSSL is what it speaks TLS with.
PYFTPDLIB, PYOPENSSL = "2.2.0", "26.4.0"
# The packages of each peer that comes from Debian; the first is the one that has its version and its program.
DEBIAN = {"vsftpd": ["vsftpd"], "proftpd": ["proftpd-core", "proftpd-mod-crypto"], "pure-ftpd": ["pure-ftpd"]}


class Unavailable(Exception):
    """Something that cannot be had here, and why."""


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"{' '.join(map(str, command[:4]))} …: {reason[-1]}")
    return done.stdout


def as_root(*command):
    """The command as root: directly, or by a sudo that asks nothing."""
    if os.geteuid() == 0:
        return list(command)
    return ["sudo", "-n", *command] if shutil.which("sudo") else ["false"]


def install(*packages):
    """Debian packages into the system: only what a bare machine lacks for building."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"{' '.join(packages)} is missing and there is no apt-get to install it")
    run(*as_root("apt-get", "-qq", "update"))
    run(*as_root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends",
                 "install", *packages))


def cargo():
    """Rust's cargo; it is not for us to install."""
    found = shutil.which("cargo") or shutil.which("cargo", path=os.path.expanduser("~/.cargo/bin"))
    if not found:
        raise Unavailable("cargo is missing: install Rust 1.95 or later, see https://rustup.rs")
    if not shutil.which("cc"):
        install("gcc", "libc6-dev")
    return found


def obtain_debian(name, folder):
    """Debian's server: the installed one, or its packages with the libraries that are missing, unpacked in `folder`."""
    wanted = DEBIAN[name]
    installed = shutil.which(name, path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    if installed:
        return {"program": installed, "libraries": "", "version": run("dpkg-query", "-W", "-f${Version}", wanted[0])}
    program, packages = folder / "usr/sbin" / name, folder / "packages"
    if not program.exists():
        if not shutil.which("apt-get"):
            raise Unavailable("it is not installed, and there is no apt-get to get it with")
        (packages / "partial").mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-y", "--download-only", "--no-install-recommends", "-oDebug::NoLocking=1",
                    f"-oDir::Cache::archives={packages}", "install", *wanted]
        try:
            run(*download)
        except Unavailable:
            # A bare machine knows no packages yet.
            run(*as_root("apt-get", "-qq", "update"))
            run(*download)
        for package in packages.glob("*.deb"):
            run("dpkg-deb", "-x", package, folder)
    libraries = ":".join(sorted({str(library.parent) for library in folder.rglob("lib*.so*")}))
    version = next(packages.glob(f"{wanted[0]}_*.deb")).name.split("_")[1]
    return {"program": str(program), "libraries": libraries, "version": version}


def obtain_pyftpdlib(folder):
    """pyftpdlib from PyPI in a virtual environment in `folder`."""
    python = folder / "bin/python"
    asked = "import pyftpdlib, OpenSSL; print(pyftpdlib.__ver__, OpenSSL.__version__)"
    try:
        version = run(python, "-c", asked).strip()
    except (Unavailable, OSError):
        version = None
    if version != f"{PYFTPDLIB} {PYOPENSSL}":
        try:
            run(sys.executable, "-m", "venv", folder)
        except Unavailable:
            # Debian's Python comes without what makes one.
            install("python3-venv")
            run(sys.executable, "-m", "venv", folder)
        run(python, "-m", "pip", "-q", "install", f"pyftpdlib=={PYFTPDLIB}", f"pyopenssl=={PYOPENSSL}")
        run(python, "-c", asked)
    return {"program": str(python), "version": PYFTPDLIB, "ftpbench": str(folder / "bin/ftpbench")}


def obtain_libunftp(folder):
    """The program beside this that is libunftp, built in `folder` as gftp is: optimised, with what crates.io has."""
    package = pathlib.Path(__file__).resolve().parent / "libunftp"
    # Built from a copy: cargo writes its lock beside the manifest, and nothing is left behind beside the sources.
    source, target = folder / "source", folder / "target"
    shutil.copytree(package, source, dirs_exist_ok=True)
    run(cargo(), "build", "--release", "--manifest-path", source / "Cargo.toml", "--target-dir", target)
    version = re.search(r'^libunftp = .*"=([0-9.]+)"', (package / "Cargo.toml").read_text(), re.MULTILINE)[1]
    return {"program": str(target / "release/libunftp-peer"), "version": version}


def obtain(name, folder):
    """Where the peer is, unpacked below `folder` if it is missing."""
    if name in DEBIAN:
        return obtain_debian(name, folder / name)
    return {"pyftpdlib": obtain_pyftpdlib, "libunftp": obtain_libunftp}[name](folder / name)


def certificate(folder):
    """A certificate that nobody has signed, of the kind that costs a server least, the same for all: cert.pem, key.pem,
    and both.pem with both in it."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert)
    both = folder / "both.pem"
    both.write_text(key.read_text() + cert.read_text())
    for secret in (key, both):
        secret.chmod(0o600)
    return folder
