// basic-ftp over TLS: host, port, user, password, certificate, file to bring, file to fetch to.
const fs = require("fs");
const { Client } = require("basic-ftp");

const [host, port, user, password, certificate, up, down] = process.argv.slice(2);

async function main() {
    const client = new Client(20000);
    const secureOptions = { ca: fs.readFileSync(certificate), host };
    await client.access({ host, port: Number(port), user, password, secure: true, secureOptions });
    await client.ensureDir("in");
    for (const name of ["first", "second"]) {
        await client.uploadFrom(up, name);
    }
    const size = await client.size("second");
    const names = (await client.list()).map((entry) => entry.name).sort();
    if (size !== fs.statSync(up).size || names.join() !== "first,second") {
        throw new Error(`${size} bytes in ${names}`);
    }
    await client.downloadTo(down, "second");
    await client.rename("first", "third");
    await client.remove("third");
    client.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
