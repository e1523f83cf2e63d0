//! The German of every phrase. Refuses to know where a phrase is said.

/// German for an English phrase; it has the same values in the same order.
pub fn of(english: &str) -> Option<&'static str> {
    let at = GERMAN.binary_search_by_key(&english, |(english, _)| english).ok()?;
    GERMAN.get(at).map(|(_, german)| *german)
}

/// In the order of the English.
#[rustfmt::skip]
static GERMAN: &[(&str, &str)] = &[
    ("Accepted, not needed", "Wird angenommen, nicht gebraucht"),
    ("All {} passive ports wait for connections from your address already; try again in a moment", "Alle {} passiven Ports warten schon auf Verbindungen von Ihrer Adresse; gleich noch einmal versuchen"),
    ("Anonymous visitor: any password will do.", "Anonymer Besuch: Jedes Passwort ist recht."),
    ("As CDUP", "Wie CDUP"),
    ("As CWD", "Wie CWD"),
    ("As MKD", "Wie MKD"),
    ("As PWD", "Wie PWD"),
    ("As RMD", "Wie RMD"),
    ("Begin a login: who you are", "Beginnt die Anmeldung: wer Sie sind"),
    ("Begin the next transfer there", "Dort beginnt die nächste Übertragung"),
    ("Bytes have 8 bits here; use TYPE L 8 or TYPE I.", "Bytes haben hier 8 Bit; TYPE L 8 oder TYPE I verwenden."),
    ("Bytes that RETR would send", "Bytes, die RETR senden würde"),
    ("Cannot listen for data connections: {}", "Datenverbindungen können nicht angenommen werden: {}"),
    ("Change the working directory", "Wechselt das Arbeitsverzeichnis"),
    ("Change to the directory above", "Wechselt ins Verzeichnis darüber"),
    ("Connected from {}", "Verbunden von {}"),
    ("Data goes to ports from 1024 on only.", "Daten gehen nur an Ports ab 1024."),
    ("Data goes to your own address only, {}; or use PASV.", "Daten gehen nur an Ihre eigene Adresse, {}; oder PASV verwenden."),
    ("Data will go there.", "Dorthin gehen die Daten."),
    ("Data will go to {}", "Daten gehen an {}"),
    ("Data: we connect to you", "Daten: Wir verbinden uns mit Ihnen"),
    ("Data: we connect to you (IPv4)", "Daten: Wir verbinden uns mit Ihnen (IPv4)"),
    ("Data: you connect to us", "Daten: Sie verbinden sich mit uns"),
    ("Data: you connect to us (IPv4)", "Daten: Sie verbinden sich mit uns (IPv4)"),
    ("Delete a file", "Löscht eine Datei"),
    ("Deleted.", "Gelöscht."),
    ("Directory removed.", "Verzeichnis entfernt."),
    ("Download a file", "Holt eine Datei"),
    ("EBCDIC is not done; use TYPE A or TYPE I.", "EBCDIC gibt es nicht; TYPE A oder TYPE I verwenden."),
    ("EPSV ALL: no other way to make data connections from now on.", "EPSV ALL: von jetzt an kein anderer Weg zu Datenverbindungen."),
    ("Empty line; send a command, or HELP for a list.", "Leere Zeile; einen Befehl senden oder HELP für eine Liste."),
    ("End", "Ende"),
    ("End of SITE commands.", "Ende der SITE-Befehle."),
    ("End of status.", "Ende des Status."),
    ("End.", "Ende."),
    ("Facts about one name", "Angaben zu einem einzelnen Namen"),
    ("Features:", "Erweiterungen:"),
    ("File structure: only F", "Dateistruktur: nur F"),
    ("Finish a login", "Beendet die Anmeldung"),
    ("Goodbye.", "Auf Wiedersehen."),
    ("HELP <verb> says more.", "HELP <Befehl> sagt mehr."),
    ("Here comes the listing.", "Hier kommt die Liste."),
    ("Here it is:", "Hier ist es:"),
    ("Idle for too long; closing.", "Zu lange untätig; Verbindung wird geschlossen."),
    ("Larger than {} MiB, too large to count in TYPE A; use TYPE I.", "Größer als {} MiB, zu groß, um in TYPE A gezählt zu werden; TYPE I verwenden."),
    ("Line too long.", "Zeile zu lang."),
    ("Line too long; a path has at most 4096 bytes.", "Zeile zu lang; ein Pfad hat höchstens 4096 Bytes."),
    ("List a directory for programs", "Listet ein Verzeichnis für Programme"),
    ("List as `ls -l` does; names may be a pattern", "Listet wie `ls -l`; Namen dürfen ein Muster sein"),
    ("List names; they may be a pattern", "Listet Namen; sie dürfen ein Muster sein"),
    ("Log in with USER and PASS first.", "Zuerst mit USER und PASS anmelden."),
    ("Logged in as {}", "Angemeldet als {}"),
    ("Logged in.", "Angemeldet."),
    ("Login incorrect.", "Anmeldung fehlgeschlagen."),
    ("MODE Z LEVEL set to {}.", "MODE Z LEVEL ist jetzt {}."),
    ("Make a directory", "Legt ein Verzeichnis an"),
    ("Mode S.", "Modus S."),
    ("Mode Z: compressed, level {}.", "Modus Z: komprimiert, Stufe {}."),
    ("Names are UTF-8.", "Namen sind UTF-8."),
    ("Names are sent as they are on disk, either way.", "Namen werden so oder so gesendet, wie sie auf der Platte stehen."),
    ("No account is needed here.", "Hier wird kein Konto gebraucht."),
    ("No data connection is prepared", "Keine Datenverbindung ist vorbereitet"),
    ("No data connection: nothing came from {} within {}; {}", "Keine Datenverbindung: von {} kam innerhalb von {} nichts; {}"),
    ("No data connection: send PASV, EPSV, PORT or EPRT first", "Keine Datenverbindung: zuerst PASV, EPSV, PORT oder EPRT senden"),
    ("No data connection: {}", "Keine Datenverbindung: {}"),
    ("No data connection: {} cannot be reached: {}; try passive mode", "Keine Datenverbindung: {} ist nicht erreichbar: {}; passiver Modus könnte helfen"),
    ("No data connection: {} did not answer; is the client behind a firewall? Try passive mode", "Keine Datenverbindung: {} antwortet nicht; steht der Client hinter einer Firewall? Passiver Modus könnte helfen"),
    ("No file is that large.", "Keine Datei ist so groß."),
    ("Nobody has logged in", "Niemand ist angemeldet"),
    ("Nobody has logged in in time; closing.", "Niemand hat sich rechtzeitig angemeldet; Verbindung wird geschlossen."),
    ("Not done here: answered 502", "Gibt es hier nicht: Antwort 502"),
    ("Not stored: {}.", "Nicht gespeichert: {}."),
    ("Noted.", "Vermerkt."),
    ("Nothing is being transferred.", "Es wird nichts übertragen."),
    ("Nothing moved for {}; given up.", "Seit {} hat sich nichts bewegt; aufgegeben."),
    ("Nothing, politely", "Nichts, höflich"),
    ("Now RNTO with the new name.", "Jetzt RNTO mit dem neuen Namen."),
    ("Now in {}.", "Jetzt in {}."),
    ("Of text formats only A N (no print control) is done.", "Von den Textformaten gibt es nur A N (ohne Drucksteuerung)."),
    ("Only English (en) and German (de) are spoken here.", "Hier wird nur Englisch (en) und Deutsch (de) gesprochen."),
    ("Only MODE S (stream) and MODE Z (compressed) are done.", "Es gibt nur MODE S (Strom) und MODE Z (komprimiert)."),
    ("Only STRU F (files without records) is done.", "Es gibt nur STRU F (Dateien ohne Datensätze)."),
    ("Opening {} mode data connection for {} ({} bytes).", "Datenverbindung im Modus {} für {} ({} bytes)."),
    ("Opening {} mode data connection for {}.", "Datenverbindung im Modus {} für {}."),
    ("Options: UTF8, MLST, MODE Z", "Optionen: UTF8, MLST, MODE Z"),
    ("PASV is for IPv4; you came over IPv6, use EPSV.", "PASV ist für IPv4; Sie kommen über IPv6, EPSV verwenden."),
    ("Password, please.", "Passwort, bitte."),
    ("Permissions set.", "Rechte gesetzt."),
    ("Ready for a new user.", "Bereit für eine neue Anmeldung."),
    ("Remove an empty directory", "Entfernt ein leeres Verzeichnis"),
    ("Rename: the new name", "Umbenennen: der neue Name"),
    ("Rename: the old name", "Umbenennen: der alte Name"),
    ("Renamed.", "Umbenannt."),
    ("Replies are in English now.", "Antworten sind jetzt auf Deutsch."),
    ("SITE commands:", "SITE-Befehle:"),
    ("SITE {} is not known here.", "SITE {} ist hier nicht bekannt."),
    ("SITE {} is not known here; SITE HELP lists what is.", "SITE {} ist hier nicht bekannt; SITE HELP zählt auf, was es ist."),
    ("Say goodbye; a running transfer ends first", "Abschied; eine laufende Übertragung endet zuerst"),
    ("Say how large the next upload will be", "Sagt, wie groß der nächste Upload wird"),
    ("Say which client you are", "Sagt, welcher Client Sie sind"),
    ("Send RNFR first, and RNTO right after it.", "Zuerst RNFR senden und RNTO gleich danach."),
    ("Send USER first.", "Zuerst USER senden."),
    ("Sent {} bytes of compressed data.", "{} Bytes gesendet, komprimiert."),
    ("Sent {} bytes.", "{} Bytes gesendet."),
    ("Set permissions, as 644", "Setzt Rechte, wie 644"),
    ("Set when a file was modified", "Setzt, wann eine Datei geändert wurde"),
    ("Show the working directory", "Zeigt das Arbeitsverzeichnis"),
    ("Start the session anew", "Beginnt die Sitzung von vorn"),
    ("Status of {}:", "Status von {}:"),
    ("Status:", "Status:"),
    ("Still here.", "Noch da."),
    ("Stop the transfer", "Bricht die Übertragung ab"),
    ("Stored {} bytes", "{} Bytes gespeichert"),
    ("Stored {} bytes as {}", "{} Bytes gespeichert als {}"),
    ("Stream", "Strom"),
    ("Structure F.", "Struktur F."),
    ("Text with CRLF, or bytes as they are", "Text mit CRLF oder Bytes, wie sie sind"),
    ("That is no FTP command; send HELP for a list.", "Das ist kein FTP-Befehl; HELP gibt eine Liste."),
    ("That little grows to that much only where it is meant to; send it in MODE S.", "So wenig wird nur mit Absicht zu so viel; bitte in MODE S senden."),
    ("That takes more than an hour; given up.", "Das dauert länger als eine Stunde; aufgegeben."),
    ("The control connection is gone; transfer given up.", "Die Steuerverbindung ist fort; Übertragung aufgegeben."),
    ("The data connection broke: {}.", "Die Datenverbindung ist abgerissen: {}."),
    ("The data ended before their compression did: something is missing.", "Die Daten endeten vor ihrer Kompression: Es fehlt etwas."),
    ("The kind of system", "Die Art des Systems"),
    ("The language of replies", "Die Sprache der Antworten"),
    ("The next transfer begins at {}.", "Die nächste Übertragung beginnt bei {}."),
    ("The server is shutting down; come back later.", "Der Server wird beendet; bitte später wiederkommen."),
    ("The server is shutting down; transfer given up.", "Der Server wird beendet; Übertragung aufgegeben."),
    ("The session's state, a transfer's progress, or a listing over the control connection", "Der Stand der Sitzung oder einer Übertragung, oder eine Liste über die Steuerverbindung"),
    ("The verbs, or one of them", "Die Befehle oder einer von ihnen"),
    ("There is more: use LIST.", "Es gibt mehr: LIST verwenden."),
    ("There is nothing to mount here.", "Hier gibt es nichts einzuhängen."),
    ("These commands are known:", "Diese Befehle sind bekannt:"),
    ("Times before 1970 cannot be set.", "Zeiten vor 1970 können nicht gesetzt werden."),
    ("Too many commands were sent ahead; the upload is not taken for whole.", "Zu viele Befehle wurden vorausgeschickt; der Upload gilt nicht als vollständig."),
    ("Too many wrong passwords; closing.", "Zu viele falsche Passwörter; Verbindung wird geschlossen."),
    ("Transfer aborted.", "Übertragung abgebrochen."),
    ("Transfer failed: {}.", "Übertragung fehlgeschlagen: {}."),
    ("Transfer in progress: {} bytes {}.", "Übertragung läuft: {} Bytes {}."),
    ("Transfer mode: S (stream) or Z (compressed)", "Übertragungsmodus: S (Strom) oder Z (komprimiert)"),
    ("Type A: text, lines end in CRLF.", "Typ A: Text, Zeilen enden mit CRLF."),
    ("Type I: bytes as they are.", "Typ I: Bytes, wie sie sind."),
    ("Type: {}; structure: File; mode: {}; restart at: {}", "Typ: {}; Struktur: Datei; Modus: {}; Fortsetzung bei: {}"),
    ("Upload a file; it appears when it is whole", "Bringt eine Datei; sie erscheint, wenn sie vollständig ist"),
    ("Upload to the end of a file", "Hängt an eine Datei an"),
    ("Upload under a name that is free", "Bringt eine Datei unter einem freien Namen"),
    ("Use: ALLO <bytes>, a number.", "So: ALLO <Bytes>, eine Zahl."),
    ("Use: LANG <tag>, as LANG en or LANG de.", "So: LANG <Kürzel>, wie LANG en oder LANG de."),
    ("Use: MFMT YYYYMMDDHHMMSS <path>, in UTC.", "So: MFMT JJJJMMTTHHMMSS <Pfad>, in UTC."),
    ("Use: MODE S or MODE Z.", "So: MODE S oder MODE Z."),
    ("Use: OPTS MODE Z LEVEL <1 to 9>.", "So: OPTS MODE Z LEVEL <1 bis 9>."),
    ("Use: OPTS UTF8 ON or OPTS UTF8 OFF.", "So: OPTS UTF8 ON oder OPTS UTF8 OFF."),
    ("Use: REST <offset>, a number of bytes.", "So: REST <Stelle>, eine Zahl von Bytes."),
    ("Use: SITE CHMOD <mode> <path>, the mode as in 644.", "So: SITE CHMOD <Rechte> <Pfad>, die Rechte wie in 644."),
    ("Use: STRU F.", "So: STRU F."),
    ("Use: TYPE A, TYPE A N, TYPE I or TYPE L 8.", "So: TYPE A, TYPE A N, TYPE I oder TYPE L 8."),
    ("Use: {}.", "So: {}."),
    ("Waiting for the password of {}", "Das Passwort von {} wird erwartet"),
    ("Waiting for your data connection to port {}", "Ihre Datenverbindung zu Port {} wird erwartet"),
    ("What SITE can do", "Was SITE kann"),
    ("What came is not what MODE Z sends (one zlib stream); nothing is stored.", "Was kam, ist nicht, was MODE Z sendet (ein zlib-Strom); nichts ist gespeichert."),
    ("What this server can do beyond RFC 959", "Was dieser Server über RFC 959 hinaus kann"),
    ("What this server has of its own; SITE HELP lists it", "Was dieser Server Eigenes hat; SITE HELP zählt es auf"),
    ("When a file was modified (UTC)", "Wann eine Datei geändert wurde (UTC)"),
    ("You are logged in already; USER begins again.", "Sie sind schon angemeldet; USER beginnt von vorn."),
    ("You came over IPv4: use EPSV or EPSV 1 (1).", "Sie kommen über IPv4: EPSV oder EPSV 1 verwenden (1)."),
    ("You came over IPv6: use EPSV or EPSV 2 (2).", "Sie kommen über IPv6: EPSV oder EPSV 2 verwenden (2)."),
    ("You sent EPSV ALL: only EPSV from now on.", "Sie haben EPSV ALL gesendet: von jetzt an nur EPSV."),
    ("a directory cannot be moved into itself", "ein Verzeichnis kann nicht in sich selbst verschoben werden"),
    ("a file system of the kernel's own (proc, sysfs) cannot be served", "ein Dateisystem des Kernels (proc, sysfs) kann nicht bedient werden"),
    ("an upload that was to replace it broke off after {} bytes: send it anew, or go on with REST {} and STOR", "ein Upload, der sie ersetzen sollte, brach nach {} Bytes ab: neu senden oder mit REST {} und STOR fortsetzen"),
    ("bytes of directory names in one listing", "Bytes an Verzeichnisnamen in einer Liste"),
    ("bytes of matching names", "Bytes an passenden Namen"),
    ("bytes to count in TYPE A; use TYPE I", "Bytes in TYPE A zu zählen; TYPE I verwenden"),
    ("compressed, level {}", "komprimiert, Stufe {}"),
    ("directories to search for the pattern", "Verzeichnisse nach dem Muster zu durchsuchen"),
    ("gftp ready.", "gftp bereit."),
    ("gftp {}, session {}", "gftp {}, Sitzung {}"),
    ("it already exists", "es gibt das schon"),
    ("it is a directory", "es ist ein Verzeichnis"),
    ("it is in use", "es wird gerade benutzt"),
    ("it is not a directory", "es ist kein Verzeichnis"),
    ("it is not a regular file", "es ist keine gewöhnliche Datei"),
    ("it lies on another file system", "es liegt auf einem anderen Dateisystem"),
    ("levels of directories", "Ebenen von Verzeichnissen"),
    ("listed", "gelistet"),
    ("malformed address or port", "Adresse oder Port ist falsch geschrieben"),
    ("more than {} {}", "mehr als {} {}"),
    ("names to compare with the pattern", "Namen mit dem Muster zu vergleichen"),
    ("network protocol not supported, use (1,2)", "dieses Netzprotokoll gibt es hier nicht, verwenden: (1,2)"),
    ("no such file or directory", "keine solche Datei und kein solches Verzeichnis"),
    ("only {} bytes are there", "nur {} Bytes sind da"),
    ("port {} was held for you for {} s, then given to others: send PASV again", "Port {} war {} s lang für Sie frei gehalten und ging dann an andere: PASV noch einmal senden"),
    ("port {} was told to clients {} times and 0 connections came: is the port published and open in the firewall, is --passive-address right?", "Port {} wurde Clients {} Mal genannt und 0 Verbindungen kamen: Ist der Port veröffentlicht und in der Firewall offen, stimmt --passive-address?"),
    ("port {} was told to clients {} times and {} connections came", "Port {} wurde Clients {} Mal genannt und {} Verbindungen kamen"),
    ("received", "empfangen"),
    ("sent", "gesendet"),
    ("the directory is not empty", "das Verzeichnis ist nicht leer"),
    ("the disk is full", "die Platte ist voll"),
    ("the disk quota is used up", "das Plattenkontingent ist erschöpft"),
    ("the file is too big for the file system", "die Datei ist zu groß für das Dateisystem"),
    ("the file system does not take this name", "das Dateisystem nimmt diesen Namen nicht an"),
    ("the file system is read-only", "das Dateisystem ist schreibgeschützt"),
    ("the file was changed by someone else meanwhile", "die Datei wurde inzwischen von jemand anderem geändert"),
    ("the name contains a NUL byte", "der Name enthält ein NUL-Byte"),
    ("the name is longer than 255 bytes", "der Name ist länger als 255 Bytes"),
    ("the name is reserved for uploads in progress", "der Name ist für laufende Uploads vorbehalten"),
    ("the name is too long", "der Name ist zu lang"),
    ("the path is longer than 4096 bytes", "der Pfad ist länger als 4096 Bytes"),
    ("the root cannot be removed", "die Wurzel kann nicht entfernt werden"),
    ("the root cannot be renamed", "die Wurzel kann nicht umbenannt werden"),
    ("the server has too many files open", "der Server hat zu viele Dateien offen"),
    ("the system denies access", "das System verweigert den Zugriff"),
    ("the time is out of range", "die Zeit liegt außerhalb des Möglichen"),
    ("this account lacks the right \"{}\"", "diesem Konto fehlt das Recht \"{}\""),
    ("too many levels of symbolic links", "zu viele symbolische Links hintereinander"),
    ("{} What came is kept aside for an hour: resume with REST and STOR, or with APPE.", "{} Was kam, wird eine Stunde lang aufgehoben: weiter mit REST und STOR oder mit APPE."),
    ("{} created.", "{} angelegt."),
    ("{} has no options.", "{} hat keine Optionen."),
    ("{} is not known here.", "{} ist hier nicht bekannt."),
    ("{} is not known here; send HELP for a list.", "{} ist hier nicht bekannt; HELP gibt eine Liste."),
    ("{} is the working directory.", "{} ist das Arbeitsverzeichnis."),
    ("{} of compressed data (the file has {})", "{}, komprimiert (die Datei hat {})"),
    ("{} takes no argument.", "Hinter {} darf nichts stehen."),
    ("{}, not the size that was announced.", "{}, nicht die angekündigte Größe."),
    ("{}, the size that was announced.", "{}, die angekündigte Größe."),
    ("{}.", "{}."),
    ("{}: not a directory; MLST tells of one file.", "{}: kein Verzeichnis; MLST zeigt eine einzelne Datei."),
    ("{}: {} ({}).", "{}: {} ({})."),
    ("{}: {}.", "{}: {}."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::super::phrase::holes;
    use super::*;
    use crate::ftp::verbs::table::{SITE, VERBS};

    /// The literal that begins `text`, with its escapes undone.
    fn literal(text: &str) -> Option<String> {
        let mut chars = text.trim_start().strip_prefix('"')?.chars().peekable();
        let mut out = String::new();
        loop {
            match chars.next()? {
                '"' => return Some(out),
                '\\' => match chars.next()? {
                    '\n' => while chars.next_if(|c| c.is_whitespace()).is_some() {},
                    c => out.push(c),
                },
                c => out.push(c),
            }
        }
    }

    /// All literals behind `opening` in the sources of `folder`, their tests left out.
    fn behind(opening: &str, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                behind(opening, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                found.extend(code.split(opening).skip(1).filter_map(literal));
            }
        }
    }

    /// Every phrase of the source: those of replies, the reasons of the store, the help of every verb.
    fn phrases() -> BTreeSet<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = BTreeSet::new();
        behind("phrase!(", &source.join("ftp"), &mut found);
        // The documentation of phrase! itself.
        found.remove("Stored {} bytes.");
        let store = source.join("store");
        for opening in ["BadName(", "what: "] {
            behind(opening, &source, &mut found);
        }
        for line in fs::read_to_string(store.join("error.rs")).unwrap().split("=> ").skip(1) {
            found.extend(literal(line).filter(|words| words.contains(' ')));
        }
        for line in fs::read_to_string(store.join("error.rs")).unwrap().split("&str = ").skip(1) {
            found.extend(literal(line));
        }
        for line in fs::read_to_string(store.join("path.rs")).unwrap().split("=> ").skip(1) {
            found.extend(literal(line).filter(|words| words.contains(' ')));
        }
        found.extend(VERBS.iter().chain(SITE).map(|verb| verb.help.to_string()));
        found.extend(["sent", "received", "listed"].map(String::from));
        assert!(found.len() > 200, "the phrases are not where they were");
        found
    }

    #[test]
    fn every_phrase_has_its_german_and_no_other_has() {
        let wanted = phrases();
        let missing: Vec<_> = wanted.iter().filter(|english| of(english).is_none()).collect();
        assert!(missing.is_empty(), "without German: {missing:#?}");
        let stale: Vec<_> = GERMAN.iter().filter(|(english, _)| !wanted.contains(*english)).collect();
        assert!(stale.is_empty(), "nobody says: {stale:#?}");
    }

    #[test]
    fn the_table_is_in_order_and_keeps_the_values() {
        assert!(GERMAN.is_sorted_by(|(a, _), (b, _)| a < b));
        for (english, german) in GERMAN {
            assert_eq!(holes(english), holes(german), "{english}");
            assert!(!german.is_empty() && !german.contains(['\r', '\n']), "{english}");
        }
    }
}
