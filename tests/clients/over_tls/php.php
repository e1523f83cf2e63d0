<?php
// PHP's ftp_ssl_connect: host, port, user, password, certificate (which PHP does not look at), file to bring, file to fetch to.
[, $host, $port, $user, $password, , $up, $down] = $argv;
function must($done, string $what) {
    if ($done === false) {
        fwrite(STDERR, "$what failed\n");
        exit(1);
    }
    return $done;
}
$ftp = must(ftp_ssl_connect($host, (int) $port, 20), "connect");
must(ftp_login($ftp, $user, $password), "login");
must(ftp_pasv($ftp, true), "passive mode");
must(ftp_mkdir($ftp, "in"), "mkdir");
must(ftp_chdir($ftp, "in"), "chdir");
must(ftp_put($ftp, "first", $up, FTP_BINARY), "put");
must(ftp_put($ftp, "second", $up, FTP_BINARY), "second put");
must(ftp_size($ftp, "second") === filesize($up), "size");
$names = must(ftp_nlist($ftp, "."), "nlist");
sort($names);
must(array_map("basename", $names) === ["first", "second"], "names");
must(count(must(ftp_mlsd($ftp, "."), "mlsd")) >= 2, "mlsd");
must(ftp_get($ftp, $down, "second", FTP_BINARY), "get");
must(ftp_rename($ftp, "first", "third"), "rename");
must(ftp_delete($ftp, "third"), "delete");
ftp_close($ftp);
