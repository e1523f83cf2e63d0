//! The German of every phrase. Refuses to know where a phrase is said.

/// German for an English phrase; it has the same values in the same order.
pub fn of(english: &str) -> Option<&'static str> {
    let at = GERMAN.binary_search_by_key(&english, |(english, _)| english).ok()?;
    GERMAN.get(at).map(|(_, german)| *german)
}

/// In the order of the English.
#[rustfmt::skip]
static GERMAN: &[(&str, &str)] = &[
    ("/proc, /sys and /dev are in it, and never served", "/proc, /sys und /dev liegen darin und werden nie bedient"),
    ("A session may be silent for {} seconds; {} at most.", "Eine Sitzung darf {} Sekunden schweigen; höchstens {}."),
    ("Accepted, not needed", "Wird angenommen, nicht gebraucht"),
    ("All your sessions together: downloads at {}, uploads at {}", "Alle Ihre Sitzungen zusammen: Herunterladen mit {}, Hochladen mit {}"),
    ("All {} passive ports wait for connections from your address already; try again in a moment", "Alle {} passiven Ports warten schon auf Verbindungen von Ihrer Adresse; gleich noch einmal versuchen"),
    ("Anonymous visitor: any password will do.", "Anonymer Besuch: Jedes Passwort ist recht."),
    ("As CDUP", "Wie CDUP"),
    ("As CWD", "Wie CWD"),
    ("As MKD", "Wie MKD"),
    ("As PWD", "Wie PWD"),
    ("As RMD", "Wie RMD"),
    ("As XSHA1", "Wie XSHA1"),
    ("Before PROT, as it is specified; it has no effect", "Vor PROT, wie es vorgeschrieben ist; es bewirkt nichts"),
    ("Before USER: which of its names you know the server by", "Vor USER: unter welchem seiner Namen Sie den Server kennen"),
    ("Begin TLS.", "TLS beginnen."),
    ("Begin a login: who you are", "Beginnt die Anmeldung: wer Sie sind"),
    ("Begin the next transfer there", "Dort beginnt die nächste Übertragung"),
    ("Bytes have 8 bits here; use TYPE L 8 or TYPE I.", "Bytes haben hier 8 Bit; TYPE L 8 oder TYPE I verwenden."),
    ("Bytes of all files in a directory and below", "Bytes aller Dateien in einem Verzeichnis und darunter"),
    ("Bytes that RETR would send", "Bytes, die RETR senden würde"),
    ("Bytes that there is still room for", "Bytes, für die noch Platz ist"),
    ("CRC32 of a file, or of its bytes from start to before end", "CRC32 einer Datei oder ihrer Bytes von Anfang bis vor Ende"),
    ("Cannot listen for data connections: {}", "Datenverbindungen können nicht angenommen werden: {}"),
    ("Change the working directory", "Wechselt das Arbeitsverzeichnis"),
    ("Change to the directory above", "Wechselt ins Verzeichnis darüber"),
    ("Connected from {}", "Verbunden von {}"),
    ("Copied before that: {}.", "Vorher kopiert: {}."),
    ("Copied: {}.", "Kopiert: {}."),
    ("Copied: {}. Left out, as links that lead outside and what is no file: {}.", "Kopiert: {}. Ausgelassen, weil Links nach außen oder keine Dateien: {}."),
    ("Copy on the server: the name of the copy; a directory needs `mkdir`, too", "Kopieren auf dem Server: der Name der Kopie; ein Verzeichnis braucht auch `mkdir`"),
    ("Copy on the server: what is to be copied", "Kopieren auf dem Server: was kopiert wird"),
    ("Data connections are in plain text.", "Datenverbindungen sind im Klartext."),
    ("Data connections must resume the TLS session of the control connection here: have your client reuse it.", "Datenverbindungen müssen hier die TLS-Sitzung der Steuerverbindung fortsetzen; das Programm muss sie wiederverwenden."),
    ("Data connections use TLS, or do not", "Datenverbindungen verwenden TLS, oder nicht"),
    ("Data connections use TLS.", "Datenverbindungen verwenden TLS."),
    ("Data goes through TLS only here: use PROT P.", "Daten gehen hier nur durch TLS: PROT P verwenden."),
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
    ("Digest of a file, or of its RANG; OPTS HASH chooses which", "Prüfsumme einer Datei oder ihres RANG; OPTS HASH wählt das Verfahren"),
    ("Directory removed.", "Verzeichnis entfernt."),
    ("Download a file", "Holt eine Datei"),
    ("EBCDIC is not done; use TYPE A or TYPE I.", "EBCDIC gibt es nicht; TYPE A oder TYPE I verwenden."),
    ("EPSV ALL: no other way to make data connections from now on.", "EPSV ALL: von jetzt an kein anderer Weg zu Datenverbindungen."),
    ("Empty line; send a command, or HELP for a list.", "Leere Zeile; einen Befehl senden oder HELP für eine Liste."),
    ("End", "Ende"),
    ("End TLS on the control connection, where that is allowed", "Beendet TLS auf der Steuerverbindung, wo das erlaubt ist"),
    ("End TLS; plain text from then on.", "TLS beenden; von da an Klartext."),
    ("End of SITE commands.", "Ende der SITE-Befehle."),
    ("End of status.", "Ende des Status."),
    ("End.", "Ende."),
    ("Facts about one name", "Angaben zu einem einzelnen Namen"),
    ("Features:", "Erweiterungen:"),
    ("File structure: only F", "Dateistruktur: nur F"),
    ("Finish a login", "Beendet die Anmeldung"),
    ("Goodbye.", "Auf Wiedersehen."),
    ("HELP <verb> says more.", "HELP <Befehl> sagt mehr."),
    ("HOST comes before USER; REIN begins again.", "HOST kommt vor USER; REIN beginnt von vorn."),
    ("Here comes the listing.", "Hier kommt die Liste."),
    ("Here it is:", "Hier ist es:"),
    ("Host accepted.", "Host angenommen."),
    ("How much room there is", "Wie viel Platz da ist"),
    ("Idle for too long; closing.", "Zu lange untätig; Verbindung wird geschlossen."),
    ("Join parts into one file, behind what it holds, and delete them", "Fügt Teile zu einer Datei zusammen, hinter dem, was sie hat, und löscht sie"),
    ("Joined {} parts: {} bytes.", "{} Teile zusammengefügt: {} Bytes."),
    ("Joined {} parts: {} bytes. Parts that could not be deleted: {}.", "{} Teile zusammengefügt: {} Bytes. Teile, die nicht gelöscht werden konnten: {}."),
    ("Larger than {} MiB, too large to count in TYPE A; use TYPE I.", "Größer als {} MiB, zu groß, um in TYPE A gezählt zu werden; TYPE I verwenden."),
    ("Line too long.", "Zeile zu lang."),
    ("Line too long; a path has at most 4096 bytes.", "Zeile zu lang; ein Pfad hat höchstens 4096 Bytes."),
    ("List a directory for programs", "Listet ein Verzeichnis für Programme"),
    ("List as `ls -l` does; names may be a pattern", "Listet wie `ls -l`; Namen dürfen ein Muster sein"),
    ("List names; they may be a pattern", "Listet Namen; sie dürfen ein Muster sein"),
    ("Log in with USER and PASS first.", "Zuerst mit USER und PASS anmelden."),
    ("Logged in as {}", "Angemeldet als {}"),
    ("Logged in by your certificate.", "Durch Ihr Zertifikat angemeldet."),
    ("Logged in.", "Angemeldet."),
    ("Login incorrect.", "Anmeldung fehlgeschlagen."),
    ("Logins cannot be looked at just now; come back in a moment.", "Anmeldungen können gerade nicht geprüft werden; bitte gleich wiederkommen."),
    ("MODE Z LEVEL set to {}.", "MODE Z LEVEL ist jetzt {}."),
    ("Make a directory", "Legt ein Verzeichnis an"),
    ("Make a symbolic link that stays inside; names with blanks in quotes", "Legt einen symbolischen Link an, der im Inneren bleibt; Namen mit Leerzeichen in Anführungszeichen"),
    ("Mode S.", "Modus S."),
    ("Mode Z: compressed, level {}.", "Modus Z: komprimiert, Stufe {}."),
    ("Names are UTF-8.", "Namen sind UTF-8."),
    ("Names are sent as they are on disk, either way.", "Namen werden so oder so gesendet, wie sie auf der Platte stehen."),
    ("No account is needed here.", "Hier wird kein Konto gebraucht."),
    ("No data connection is prepared", "Keine Datenverbindung ist vorbereitet"),
    ("No data connection: it was broken off before the command", "Keine Datenverbindung: sie wurde vor dem Befehl abgebrochen"),
    ("No data connection: nothing came from {} within {}; {}", "Keine Datenverbindung: von {} kam innerhalb von {} nichts; {}"),
    ("No data connection: send PASV, EPSV, PORT or EPRT first", "Keine Datenverbindung: zuerst PASV, EPSV, PORT oder EPRT senden"),
    ("No data connection: {}", "Keine Datenverbindung: {}"),
    ("No data connection: {} cannot be reached: {}; try passive mode", "Keine Datenverbindung: {} ist nicht erreichbar: {}; passiver Modus könnte helfen"),
    ("No data connection: {} did not answer; is the client behind a firewall? Try passive mode", "Keine Datenverbindung: {} antwortet nicht; steht der Client hinter einer Firewall? Passiver Modus könnte helfen"),
    ("No file is that large.", "Keine Datei ist so groß."),
    ("No quota is set; the disk has {} bytes free.", "Es gibt kein Kontingent; auf der Platte sind {} Bytes frei."),
    ("No range is set.", "Es gilt kein Ausschnitt."),
    ("Nobody has logged in", "Niemand ist angemeldet"),
    ("Nobody has logged in in time; closing.", "Niemand hat sich rechtzeitig angemeldet; Verbindung wird geschlossen."),
    ("Not an algorithm of HASH; FEAT lists them.", "Kein Verfahren von HASH; FEAT zählt sie auf."),
    ("Not done here: answered 502", "Gibt es hier nicht: Antwort 502"),
    ("Not stored: {}.", "Nicht gespeichert: {}."),
    ("Noted.", "Vermerkt."),
    ("Nothing is being transferred.", "Es wird nichts übertragen."),
    ("Nothing moved for {}; given up.", "Seit {} hat sich nichts bewegt; aufgegeben."),
    ("Nothing was changed.", "Nichts wurde geändert."),
    ("Nothing, politely", "Nichts, höflich"),
    ("Now RNTO with the new name.", "Jetzt RNTO mit dem neuen Namen."),
    ("Now SITE CPTO with the name of the copy.", "Jetzt SITE CPTO mit dem Namen der Kopie."),
    ("Now in {}.", "Jetzt in {}."),
    ("Of text formats only A N (no print control) is done.", "Von den Textformaten gibt es nur A N (ohne Drucksteuerung)."),
    ("Only English (en) and German (de) are spoken here.", "Hier wird nur Englisch (en) und Deutsch (de) gesprochen."),
    ("Only MODE S (stream) and MODE Z (compressed) are done.", "Es gibt nur MODE S (Strom) und MODE Z (komprimiert)."),
    ("Only STRU F (files without records) is done.", "Es gibt nur STRU F (Dateien ohne Datensätze)."),
    ("Opening {} mode data connection for {} ({} bytes).", "Datenverbindung im Modus {} für {} ({} bytes)."),
    ("Opening {} mode data connection for {}.", "Datenverbindung im Modus {} für {}."),
    ("Options: UTF8, MLST, HASH, MODE Z", "Optionen: UTF8, MLST, HASH, MODE Z"),
    ("Other sessions: {}.", "Andere Sitzungen: {}."),
    ("PASV is for IPv4; you came over IPv6, use EPSV.", "PASV ist für IPv4; Sie kommen über IPv6, EPSV verwenden."),
    ("Password, please.", "Passwort, bitte."),
    ("Permissions set.", "Rechte gesetzt."),
    ("Plain text", "Klartext"),
    ("Plain text again, after TLS", "Wieder Klartext, nach TLS"),
    ("RANG is for RETR and HASH; resume an upload with REST and STOR.", "RANG ist für RETR und HASH; ein Upload wird mit REST und STOR fortgesetzt."),
    ("RANG is of a file's bytes as they are: send TYPE I and MODE S, then RANG again.", "RANG gilt den Bytes einer Datei, wie sie sind: TYPE I und MODE S senden, dann RANG noch einmal."),
    ("Ready for a new user.", "Bereit für eine neue Anmeldung."),
    ("Remove a directory and all that is in it", "Entfernt ein Verzeichnis mit allem, was darin ist"),
    ("Remove an empty directory", "Entfernt ein leeres Verzeichnis"),
    ("Removed: {}.", "Entfernt: {}."),
    ("Rename: the new name", "Umbenennen: der neue Name"),
    ("Rename: the old name", "Umbenennen: der alte Name"),
    ("Renamed.", "Umbenannt."),
    ("Replies are in English now.", "Antworten sind jetzt auf Deutsch."),
    ("SITE UMASK: {}.", "SITE UMASK: {}."),
    ("SITE commands:", "SITE-Befehle:"),
    ("SITE {} is not known here.", "SITE {} ist hier nicht bekannt."),
    ("SITE {} is not known here; SITE HELP lists what is.", "SITE {} ist hier nicht bekannt; SITE HELP zählt auf, was es ist."),
    ("Say goodbye; a running transfer ends first", "Abschied; eine laufende Übertragung endet zuerst"),
    ("Say how large the next upload will be", "Sagt, wie groß der nächste Upload wird"),
    ("Say which client you are", "Sagt, welcher Client Sie sind"),
    ("Say which client you are, and learn which server this is", "Sagt, welcher Client Sie sind, und erfährt, welcher Server das ist"),
    ("Send AUTH TLS first.", "Erst AUTH TLS senden."),
    ("Send PBSZ 0 first.", "Erst PBSZ 0 senden."),
    ("Send RNFR first, and RNTO right after it.", "Zuerst RNFR senden und RNTO gleich danach."),
    ("Send SITE CPFR first, and SITE CPTO right after it.", "Zuerst SITE CPFR senden und SITE CPTO gleich danach."),
    ("Send USER first.", "Zuerst USER senden."),
    ("Sent {} bytes of compressed data.", "{} Bytes gesendet, komprimiert."),
    ("Sent {} bytes.", "{} Bytes gesendet."),
    ("Set facts of a file, all or none: Modify, UNIX.mode (which needs `site`), Create (as MFCT)", "Setzt Angaben zu einer Datei, alle oder keine: Modify, UNIX.mode (braucht `site`), Create (wie MFCT)"),
    ("Set permissions, as 644", "Setzt Rechte, wie 644"),
    ("Set when a file was made, where the file system lets one", "Setzt, wann eine Datei angelegt wurde, wo das Dateisystem es zulässt"),
    ("Set when a file was modified", "Setzt, wann eine Datei geändert wurde"),
    ("Set when a file was modified; also as <path atime mtime ctime UTC>", "Setzt, wann eine Datei geändert wurde; auch als <Pfad atime mtime ctime UTC>"),
    ("Show or set how long this session may be silent", "Zeigt oder setzt, wie lange diese Sitzung schweigen darf"),
    ("Show or set what new files and directories of this session go without, as 027", "Zeigt oder setzt, was neuen Dateien und Verzeichnissen dieser Sitzung fehlt, wie 027"),
    ("Show the working directory", "Zeigt das Arbeitsverzeichnis"),
    ("Speak TLS from now on; whoever was logged in is not any more", "Spricht von jetzt an TLS; wer angemeldet war, ist es nicht mehr"),
    ("Start the session anew", "Beginnt die Sitzung von vorn"),
    ("Status of {}:", "Status von {}:"),
    ("Status:", "Status:"),
    ("Still here.", "Noch da."),
    ("Stop the transfer", "Bricht die Übertragung ab"),
    ("Stored {} bytes", "{} Bytes gespeichert"),
    ("Stored {} bytes as {}", "{} Bytes gespeichert als {}"),
    ("Stream", "Strom"),
    ("Structure F.", "Struktur F."),
    ("TLS did not begin on the data connection within {}.", "TLS hat auf der Datenverbindung nicht innerhalb von {} begonnen."),
    ("TLS is required for data: send PBSZ 0 and PROT P first.", "Für Daten ist TLS nötig: erst PBSZ 0 und PROT P senden."),
    ("TLS is required to log in: send AUTH TLS first.", "Zur Anmeldung ist TLS nötig: erst AUTH TLS senden."),
    ("TLS is spoken already.", "TLS wird schon gesprochen."),
    ("TLS knows only PROT C and PROT P.", "TLS kennt nur PROT C und PROT P."),
    ("TLS on the data connection failed: {}", "TLS auf der Datenverbindung ist gescheitert: {}"),
    ("TLS on the data connection failed: {}.", "TLS auf der Datenverbindung ist gescheitert: {}."),
    ("TLS: {}", "TLS: {}"),
    ("Text with CRLF, or bytes as they are", "Text mit CRLF oder Bytes, wie sie sind"),
    ("That is no FTP command; send HELP for a list.", "Das ist kein FTP-Befehl; HELP gibt eine Liste."),
    ("That little grows to that much only where it is meant to; send it in MODE S.", "So wenig wird nur mit Absicht zu so viel; bitte in MODE S senden."),
    ("That takes more than an hour; given up.", "Das dauert länger als eine Stunde; aufgegeben."),
    ("The control connection is gone; transfer given up.", "Die Steuerverbindung ist fort; Übertragung aufgegeben."),
    ("The control connection stays in TLS here.", "Die Steuerverbindung bleibt hier in TLS."),
    ("The data connection broke: {}.", "Die Datenverbindung ist abgerissen: {}."),
    ("The data connection shows another certificate than the control connection.", "Die Datenverbindung zeigt ein anderes Zertifikat als die Steuerverbindung."),
    ("The data ended before their compression did: something is missing.", "Die Daten endeten vor ihrer Kompression: Es fehlt etwas."),
    ("The data ended without TLS saying so (close_notify): something may be missing.", "Die Daten endeten, ohne dass TLS es gesagt hat (close_notify): Es kann etwas fehlen."),
    ("The kind of system", "Die Art des Systems"),
    ("The language of replies", "Die Sprache der Antworten"),
    ("The next RETR or HASH is of bytes {} to {}.", "Das nächste RETR oder HASH gilt den Bytes {} bis {}."),
    ("The next RETR or HASH is of these bytes only, both included", "Das nächste RETR oder HASH gilt nur diesen Bytes, beide eingeschlossen"),
    ("The next transfer begins at {}.", "Die nächste Übertragung beginnt bei {}."),
    ("The rest is left; removed before that: {}.", "Der Rest ist noch da; vorher entfernt: {}."),
    ("The same with MD5", "Dasselbe mit MD5"),
    ("The same with SHA-1", "Dasselbe mit SHA-1"),
    ("The same with SHA-256", "Dasselbe mit SHA-256"),
    ("The same with SHA-512", "Dasselbe mit SHA-512"),
    ("The server is shutting down; come back later.", "Der Server wird beendet; bitte später wiederkommen."),
    ("The server is shutting down; transfer given up.", "Der Server wird beendet; Übertragung aufgegeben."),
    ("The session's state, a transfer's progress, or a listing over the control connection", "Der Stand der Sitzung oder einer Übertragung, oder eine Liste über die Steuerverbindung"),
    ("The umask is {}.", "Die umask ist {}."),
    ("The umask is {}; it was {}.", "Die umask ist {}; sie war {}."),
    ("The verbs, or one of them", "Die Befehle oder einer von ihnen"),
    ("The whole server: downloads at {}, uploads at {}", "Der ganze Server: Herunterladen mit {}, Hochladen mit {}"),
    ("There is a proxy between us, which only passive mode passes: send PASV or EPSV.", "Zwischen uns steht ein Proxy, den nur der passive Modus durchquert: PASV oder EPSV senden."),
    ("There is more: use LIST.", "Es gibt mehr: LIST verwenden."),
    ("There is no TLS here: this server was started without it.", "Hier gibt es kein TLS: Dieser Server wurde ohne gestartet."),
    ("There is no TLS to end.", "Es gibt kein TLS zu beenden."),
    ("There is nothing to mount here.", "Hier gibt es nichts einzuhängen."),
    ("These commands are known:", "Diese Befehle sind bekannt:"),
    ("This account has {} sessions open already, the most allowed.", "Dieses Konto hat schon {} Sitzungen offen, mehr sind nicht erlaubt."),
    ("This account's sessions, and how many there are in all", "Die Sitzungen dieses Kontos und wie viele es insgesamt sind"),
    ("This session may now be silent for {} seconds.", "Diese Sitzung darf jetzt {} Sekunden schweigen."),
    ("This session: downloads at {}, uploads at {}", "Diese Sitzung: Herunterladen mit {}, Hochladen mit {}"),
    ("Time set.", "Zeit gesetzt."),
    ("Times before 1970 cannot be set.", "Zeiten vor 1970 können nicht gesetzt werden."),
    ("Times set.", "Zeiten gesetzt."),
    ("Too many commands were sent ahead; the upload is not taken for whole.", "Zu viele Befehle wurden vorausgeschickt; der Upload gilt nicht als vollständig."),
    ("Too many logins are being looked at; come back in a moment.", "Zu viele Anmeldungen werden gerade geprüft; bitte gleich wiederkommen."),
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
    ("Use: <path>, <path> <end> or <path> <start> <end>; a path may be quoted.", "So: <Pfad>, <Pfad> <Ende> oder <Pfad> <Anfang> <Ende>; der Pfad darf in Anführungszeichen stehen."),
    ("Use: ALLO <bytes>, a number.", "So: ALLO <Bytes>, eine Zahl."),
    ("Use: COMB \"<target>\" \"<part>\" …, the names in quotes.", "So: COMB \"<Ziel>\" \"<Teil>\" …, die Namen in Anführungszeichen."),
    ("Use: HOST <name>, a domain name, an IPv4 address or [an IPv6 address].", "So: HOST <Name>, ein Domain-Name, eine IPv4-Adresse oder [eine IPv6-Adresse]."),
    ("Use: LANG <tag>, as LANG en or LANG de.", "So: LANG <Kürzel>, wie LANG en oder LANG de."),
    ("Use: MFCT YYYYMMDDHHMMSS <path>, in UTC.", "So: MFCT JJJJMMTTHHMMSS <Pfad>, in UTC."),
    ("Use: MFF Modify=YYYYMMDDHHMMSS;UNIX.mode=0644; <path>.", "So: MFF Modify=JJJJMMTTHHMMSS;UNIX.mode=0644; <Pfad>."),
    ("Use: MFMT YYYYMMDDHHMMSS <path>, in UTC.", "So: MFMT JJJJMMTTHHMMSS <Pfad>, in UTC."),
    ("Use: MODE S or MODE Z.", "So: MODE S oder MODE Z."),
    ("Use: OPTS MODE Z LEVEL <1 to 9>.", "So: OPTS MODE Z LEVEL <1 bis 9>."),
    ("Use: OPTS UTF8 ON or OPTS UTF8 OFF.", "So: OPTS UTF8 ON oder OPTS UTF8 OFF."),
    ("Use: PBSZ 0.", "Verwendung: PBSZ 0."),
    ("Use: PROT P or PROT C.", "Verwendung: PROT P oder PROT C."),
    ("Use: RANG <first> <last>, bytes from 0 on; RANG 1 0 takes it back.", "So: RANG <erstes> <letztes>, Bytes ab 0; RANG 1 0 nimmt es zurück."),
    ("Use: REST <offset>, a number of bytes.", "So: REST <Stelle>, eine Zahl von Bytes."),
    ("Use: SITE CHMOD <mode> <path>, the mode as in 644.", "So: SITE CHMOD <Rechte> <Pfad>, die Rechte wie in 644."),
    ("Use: SITE IDLE <seconds>, from {} to {}.", "So: SITE IDLE <Sekunden>, von {} bis {}."),
    ("Use: SITE SYMLINK <target> <link>; names with blanks in quotes.", "So: SITE SYMLINK <Ziel> <Link>; Namen mit Leerzeichen in Anführungszeichen."),
    ("Use: SITE UMASK <mask>, as 022, 027 or 077.", "So: SITE UMASK <Maske>, wie 022, 027 oder 077."),
    ("Use: SITE UTIME YYYYMMDDhhmm[ss] <path>, or SITE UTIME <path> <atime> <mtime> <ctime> UTC.", "So: SITE UTIME JJJJMMTThhmm[ss] <Pfad> oder SITE UTIME <Pfad> <atime> <mtime> <ctime> UTC."),
    ("Use: STRU F.", "So: STRU F."),
    ("Use: TYPE A, TYPE A N, TYPE I or TYPE L 8.", "So: TYPE A, TYPE A N, TYPE I oder TYPE L 8."),
    ("Use: {}.", "So: {}."),
    ("Used: {}, {}; there is room for {} bytes.", "Belegt: {}, {}; Platz ist noch für {} Bytes."),
    ("Waiting for the password of {}", "Das Passwort von {} wird erwartet"),
    ("Waiting for your data connection to port {}", "Ihre Datenverbindung zu Port {} wird erwartet"),
    ("What SITE can do", "Was SITE kann"),
    ("What came is not what MODE Z sends (one zlib stream); nothing is stored.", "Was kam, ist nicht, was MODE Z sendet (ein zlib-Strom); nichts ist gespeichert."),
    ("What that is about does not answer; closing.", "Worum es geht, das antwortet nicht; die Verbindung endet."),
    ("What this server can do beyond RFC 959", "Was dieser Server über RFC 959 hinaus kann"),
    ("What this server has of its own; SITE HELP lists it", "Was dieser Server Eigenes hat; SITE HELP zählt es auf"),
    ("When a file was modified (UTC); with a time in front, set it (needs write)", "Wann eine Datei geändert wurde (UTC); mit einer Zeit davor: setzt sie (braucht write)"),
    ("You are logged in already; USER begins again.", "Sie sind schon angemeldet; USER beginnt von vorn."),
    ("You came over IPv4: use EPSV or EPSV 1 (1).", "Sie kommen über IPv4: EPSV oder EPSV 1 verwenden (1)."),
    ("You came over IPv6: use EPSV or EPSV 2 (2).", "Sie kommen über IPv6: EPSV oder EPSV 2 verwenden (2)."),
    ("You sent EPSV ALL: only EPSV from now on.", "Sie haben EPSV ALL gesendet: von jetzt an nur EPSV."),
    ("Your account has ended or changed; closing.", "Ihr Konto ist beendet oder geändert; Verbindung wird geschlossen."),
    ("Your data connection to port {} is here", "Ihre Datenverbindung zu Port {} ist da"),
    ("Your home folder cannot be opened: {}. Please tell the administrator.", "Ihr Heimatverzeichnis kann nicht geöffnet werden: {}. Bitte sagen Sie es der Verwaltung."),
    ("Your sessions:", "Ihre Sitzungen:"),
    ("a directory cannot be copied into itself", "ein Verzeichnis kann nicht in sich selbst kopiert werden"),
    ("a directory cannot be moved into itself", "ein Verzeichnis kann nicht in sich selbst verschoben werden"),
    ("a file cannot be copied onto itself", "eine Datei kann nicht auf sich selbst kopiert werden"),
    ("a file system of the kernel's own is never served", "ein Dateisystem des Kernels wird nie bedient"),
    ("an upload that was to replace it broke off after {} bytes: send it anew, or go on with REST {} and STOR", "ein Upload, der sie ersetzen sollte, brach nach {} Bytes ab: neu senden oder mit REST {} und STOR fortsetzen"),
    ("any speed", "jeder Geschwindigkeit"),
    ("busy with {}", "beschäftigt mit {}"),
    ("bytes", "Bytes"),
    ("bytes of directory names in one copy", "Bytes an Verzeichnisnamen in einer Kopie"),
    ("bytes of directory names in one listing", "Bytes an Verzeichnisnamen in einer Liste"),
    ("bytes of matching names", "Bytes an passenden Namen"),
    ("bytes to count in TYPE A; use TYPE I", "Bytes in TYPE A zu zählen; TYPE I verwenden"),
    ("compressed, level {}", "komprimiert, Stufe {}"),
    ("data connections in TLS", "Datenverbindungen in TLS"),
    ("data connections in plain text", "Datenverbindungen im Klartext"),
    ("directories to search for the pattern", "Verzeichnisse nach dem Muster zu durchsuchen"),
    ("files and folders", "Dateien und Ordnern"),
    ("files {}, directories {}", "Dateien {}, Verzeichnisse {}"),
    ("files {}, directories {}, bytes {}", "Dateien {}, Verzeichnisse {}, Bytes {}"),
    ("gftp ready.", "gftp bereit."),
    ("gftp {}, session {}", "gftp {}, Sitzung {}"),
    ("idle", "untätig"),
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
    ("names like this are not allowed here", "solche Namen sind hier nicht erlaubt"),
    ("names to compare with the pattern", "Namen mit dem Muster zu vergleichen"),
    ("network protocol not supported, use (1,2)", "dieses Netzprotokoll gibt es hier nicht, verwenden: (1,2)"),
    ("no such file or directory", "keine solche Datei und kein solches Verzeichnis"),
    ("only {} bytes are there", "nur {} Bytes sind da"),
    ("other rights hold for something in it, so it must keep its name", "für etwas darin gelten andere Rechte, darum muss es seinen Namen behalten"),
    ("parts", "Teile"),
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
    ("the link would lead out of what is served", "der Link würde aus dem Angebotenen hinausführen"),
    ("the name contains a NUL byte", "der Name enthält ein NUL-Byte"),
    ("the name is longer than 255 bytes", "der Name ist länger als 255 Bytes"),
    ("the name is reserved for uploads in progress", "der Name ist für laufende Uploads vorbehalten"),
    ("the name is too long", "der Name ist zu lang"),
    ("the path is longer than 4096 bytes", "der Pfad ist länger als 4096 Bytes"),
    ("the quota of {} {} has no room for it", "im Kontingent von {} {} ist dafür kein Platz"),
    ("the root cannot be removed", "die Wurzel kann nicht entfernt werden"),
    ("the root cannot be renamed", "die Wurzel kann nicht umbenannt werden"),
    ("the server has too many files open", "der Server hat zu viele Dateien offen"),
    ("the system denies access", "das System verweigert den Zugriff"),
    ("the target and the parts must be different files", "Ziel und Teile müssen verschiedene Dateien sein"),
    ("the time is out of range", "die Zeit liegt außerhalb des Möglichen"),
    ("this account lacks the right \"{}\"", "diesem Konto fehlt das Recht \"{}\""),
    ("this one", "diese hier"),
    ("too many levels of symbolic links", "zu viele symbolische Links hintereinander"),
    ("{} What came is kept aside for an hour: resume with REST and STOR, or with APPE.", "{} Was kam, wird eine Stunde lang aufgehoben: weiter mit REST und STOR oder mit APPE."),
    ("{} bytes", "{} Bytes"),
    ("{} cannot be set; nothing was changed.", "{} kann nicht gesetzt werden; nichts wurde geändert."),
    ("{} cannot have this value; nothing was changed.", "{} kann diesen Wert nicht haben; nichts wurde geändert."),
    ("{} created.", "{} angelegt."),
    ("{} files and folders", "{} Dateien und Ordner"),
    ("{} from {}, here for {}, {}", "{} von {}, hier seit {}, {}"),
    ("{} has no options.", "{} hat keine Optionen."),
    ("{} is not done; use AUTH TLS.", "{} gibt es nicht; AUTH TLS verwenden."),
    ("{} is not known here.", "{} ist hier nicht bekannt."),
    ("{} is not known here; send HELP for a list.", "{} ist hier nicht bekannt; HELP gibt eine Liste."),
    ("{} is the working directory.", "{} ist das Arbeitsverzeichnis."),
    ("{} is there twice; nothing was changed.", "{} steht zweimal da; nichts wurde geändert."),
    ("{} leads to {} now.", "{} führt jetzt zu {}."),
    ("{} of compressed data (the file has {})", "{}, komprimiert (die Datei hat {})"),
    ("{} of {} bytes", "{} von {} Bytes"),
    ("{} of {} files and folders", "{} von {} Dateien und Ordnern"),
    ("{} takes no argument.", "Hinter {} darf nichts stehen."),
    ("{}, not the size that was announced.", "{}, nicht die angekündigte Größe."),
    ("{}, the size that was announced.", "{}, die angekündigte Größe."),
    ("{}, to the end that TLS proves", "{}, bis zu dem Ende, das TLS beweist"),
    ("{}.", "{}."),
    ("{}: not a directory; MLST tells of one file.", "{}: kein Verzeichnis; MLST zeigt eine einzelne Datei."),
    ("{}: {} ({}).", "{}: {} ({})."),
    ("{}: {}.", "{}: {}."),
    ("{}: {}. {}", "{}: {}. {}"),
    ("{}; {}", "{}; {}"),
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
            behind(opening, &store, &mut found);
            behind(opening, &source.join("ftp"), &mut found);
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
