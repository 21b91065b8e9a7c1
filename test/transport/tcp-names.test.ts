// Names against DNS servers on loopback: one that says nothing, and one that knows a few names.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test, { type ExecutionContext } from "ava";
import { systemClock } from "../../src/runtime/clock.js";
import { parseAddress } from "../../src/protocol/address.js";
import { createNameResolver, type NameResolverOptions } from "../../src/transport/tcp-names.js";
import { identityOf, Inbox, tcpTransport } from "./support.js";

const TYPE_A = 1;

/** Answers `A` questions for names that have an address, says NXDOMAIN or nothing to the others. */
async function startDns(
  t: ExecutionContext,
  answer: (name: string) => readonly number[] | "unknown" | "silence",
): Promise<{ server: string; asked: string[] }> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  t.teardown(() => socket.close());
  socket.on("message", (query, from) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at]!; length > 0; length = query[at]!) {
      labels.push(query.toString("latin1", at + 1, at + 1 + length));
      at += 1 + length;
    }
    const question = query.subarray(12, at + 5);
    const name = labels.join(".");
    asked.push(name);
    const address = answer(name);
    if (address === "silence") return;
    const found = typeof address !== "string" && query.readUInt16BE(at + 1) === TYPE_A;
    const header = Buffer.from([
      ...[query[0]!, query[1]!, 0x81, address === "unknown" ? 0x83 : 0x80],
      ...[0, 1, 0, found ? 1 : 0, 0, 0, 0, 0],
    ]);
    const record = [0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, ...(found ? address : [])];
    socket.send(
      Buffer.concat([header, question, ...(found ? [Buffer.from(record)] : [])]),
      from.port,
      from.address,
    );
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { server: `127.0.0.1:${socket.address().port}`, asked };
}

function resolverOf(options: Partial<NameResolverOptions>) {
  const system = (name: string): Promise<never> =>
    Promise.reject(new Error(`getaddrinfo knows no ${name}`));
  return createNameResolver({ clock: systemClock, timeoutMs: 20_000, system, ...options });
}

test("a name that DNS knows has its addresses", async (t) => {
  const { server } = await startDns(t, () => [192, 0, 2, 7]);
  const names = resolverOf({ servers: [server] });
  t.deepEqual(await names.resolve("seed.example"), ["192.0.2.7"]);
  t.deepEqual(await names.resolve("192.0.2.9"), ["192.0.2.9"]);
  t.deepEqual(await names.resolve("2001:db8::1"), ["2001:db8::1"]);
});

test("names of silent servers end at the deadline and keep no other name out", async (t) => {
  const { server, asked } = await startDns(t, (name) =>
    name.startsWith("dead") ? "silence" : [192, 0, 2, 7],
  );
  const names = resolverOf({ servers: [server], timeoutMs: 1_000 });
  const dead = Array.from({ length: 40 }, (_, i) => names.resolve(`dead${i}.example`));
  let ended = 0;
  for (const one of dead) one.catch(() => ended++);
  t.deepEqual(await names.resolve("good.example"), ["192.0.2.7"]);
  t.is(ended, 0, "the good one was not kept waiting");
  for (const one of dead) {
    await t.throwsAsync(one, {
      code: "NAME_UNRESOLVED",
      message: "name-not-resolved (no answer within 1000 ms)",
    });
  }
  t.true(asked.length > 40);
});

test("a close ends what is open at once", async (t) => {
  const { server } = await startDns(t, () => "silence");
  const names = resolverOf({ servers: [server], timeoutMs: 3_600_000 });
  const open = names.resolve("dead.example");
  names.close();
  await t.throwsAsync(open, { code: "NAME_UNRESOLVED", message: /the transport closed/ });
});

test("a name of the hosts file, and localhost, need no DNS server", async (t) => {
  const { server, asked } = await startDns(t, () => "silence");
  const directory = await mkdtemp(path.join(tmpdir(), "vibecoin-hosts-"));
  t.teardown(() => rm(directory, { recursive: true }));
  const hostsFile = path.join(directory, "hosts");
  await writeFile(hostsFile, "# 192.0.2.8 seed\n192.0.2.1\tother Seed # mine\n2001:db8::1 seed\n");
  const names = resolverOf({ servers: [server], hostsFile });
  t.deepEqual(await names.resolve("seed"), ["192.0.2.1", "2001:db8::1"]);
  t.deepEqual(await names.resolve("localhost"), ["127.0.0.1", "::1"]);
  const without = resolverOf({ servers: [server], hostsFile: path.join(directory, "none") });
  t.deepEqual(await without.resolve("localhost"), ["127.0.0.1", "::1"]);
  t.deepEqual(asked, []);
});

test("a name that DNS does not know is asked of the system, one at a time", async (t) => {
  const { server } = await startDns(t, () => "unknown");
  let answer: (addresses: readonly string[]) => void = () => undefined;
  const asked: string[] = [];
  const names = resolverOf({
    servers: [server],
    system: (name) => {
      asked.push(name);
      return new Promise((resolve) => (answer = resolve));
    },
  });
  const first = names.resolve("printer");
  while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await t.throwsAsync(names.resolve("scanner"), {
    code: "NAME_UNRESOLVED",
    message: /system's lookup is busy/,
  });
  answer(["192.0.2.3"]);
  t.deepEqual(await first, ["192.0.2.3"]);
  t.deepEqual(asked, ["printer"]);
});

test("a name that nobody knows says so", async (t) => {
  const { server } = await startDns(t, () => "unknown");
  const names = resolverOf({ servers: [server] });
  await t.throwsAsync(names.resolve("no.example"), {
    code: "NAME_UNRESOLVED",
    message: "name-not-resolved (getaddrinfo knows no no.example)",
  });
});

test("a dial to a name that nobody answers for says that the name was not resolved", async (t) => {
  const { server } = await startDns(t, () => "silence");
  const names = resolverOf({ servers: [server], timeoutMs: 200 });
  const dialing = tcpTransport(1, {}, (host) => names.resolve(host));
  t.teardown(() => dialing.close());
  const dial = dialing.dial(parseAddress("tcp://dead.example:1"), { timeoutMs: 20_000 });
  await t.throwsAsync(dial, {
    code: "DIAL_FAILED",
    message: "Cannot dial tcp://dead.example:1: name-not-resolved (no answer within 200 ms).",
  });
});

test("a dial by name reaches a node beside many names that are dead", async (t) => {
  const { server } = await startDns(t, (name) =>
    name.startsWith("dead") ? "silence" : [127, 0, 0, 1],
  );
  const names = resolverOf({ servers: [server] });
  const listening = tcpTransport(1);
  const dialing = tcpTransport(2, {}, (host) => names.resolve(host));
  const closed = (): Promise<unknown> => Promise.all([dialing.close(), listening.close()]);
  const listener = await listening.listen(parseAddress("tcp://127.0.0.1:0"), new Inbox());
  const { port } = listener.endpoint;
  const options = { timeoutMs: 20_000 };
  const dead = Array.from({ length: 8 }, (_, i) =>
    dialing.dial(parseAddress(`tcp://dead${i}.example:${port}`), options),
  );
  const connection = await dialing.dial(parseAddress(`tcp://good.example:${port}`), options);
  t.is(connection.peerId, identityOf(1).peerId);
  connection.destroy();
  await closed();
  for (const one of dead) await t.throwsAsync(one, { code: "CLOSED" }, "a close waits for nobody");
});
