import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { parseAddress } from "../../src/protocol/address.js";
import { systemClock } from "../../src/runtime/clock.js";
import { VirtualClock } from "../../src/runtime/virtual-clock.js";
import { startAttempts } from "../../src/transport/tcp-attempts.js";
import { createTcpTransport } from "../../src/transport/tcp.js";
import { identityOf, Inbox, TCP_CONFIG, tcpTransport } from "./support.js";

interface Route {
  /** From the attempt to its success. */
  readonly connectedMs?: number;
  readonly failedMs?: number;
}

class FakeSocket extends EventEmitter {
  destroyed = false;

  destroy(): void {
    this.destroyed = true;
  }
}

/** Tries these addresses over these routes; what is not listed is never answered. */
function attempt(addresses: readonly string[], routes: Readonly<Record<string, Route>>) {
  const clock = new VirtualClock();
  const sockets = new Map<string, FakeSocket>();
  const startedMs: Record<string, number> = {};
  const result: { connected?: string; failed?: readonly string[] } = {};
  const attempts = startAttempts({
    addresses,
    clock,
    connect: (address) => {
      const socket = new FakeSocket();
      sockets.set(address, socket);
      startedMs[address] = clock.monotonicMs();
      const { connectedMs, failedMs } = routes[address] ?? {};
      if (connectedMs !== undefined) clock.setTimer(connectedMs, () => socket.emit("connect"));
      if (failedMs !== undefined) {
        const error = Object.assign(new Error("no"), { code: "ENETUNREACH" });
        clock.setTimer(failedMs, () => socket.emit("error", error));
      }
      return socket;
    },
    onConnected: (_socket, address) => (result.connected = address),
    onFailed: (errors) => (result.failed = errors.map(({ code }) => code ?? "")),
  });
  return { clock, sockets, startedMs, result, cancel: () => attempts.cancel() };
}

test("a host 300 ms away with an unroutable second address is reached", (t) => {
  for (const addresses of [
    ["192.0.2.1", "2001:db8::1"],
    ["2001:db8::1", "192.0.2.1"],
  ]) {
    const { clock, result, sockets } = attempt(addresses, {
      "192.0.2.1": { connectedMs: 300 },
      "2001:db8::1": { failedMs: 0 },
    });
    clock.advanceBy(5_000);
    t.is(result.connected, "192.0.2.1");
    t.is(result.failed, undefined);
    t.false(sockets.get("192.0.2.1")!.destroyed);
  }
});

test("an address that answers nothing does not stop the next one, and is given up last", (t) => {
  const addresses = ["2001:db8::1", "2001:db8::2", "192.0.2.1"];
  const { clock, result, sockets, startedMs } = attempt(addresses, {
    "192.0.2.1": { connectedMs: 1_000 },
  });
  clock.advanceBy(1_249);
  t.is(result.connected, undefined);
  t.true([...sockets.values()].every(({ destroyed }) => !destroyed));
  clock.advanceBy(1);
  t.is(result.connected, "192.0.2.1");
  t.deepEqual(startedMs, { "2001:db8::1": 0, "192.0.2.1": 250, "2001:db8::2": 500 });
  t.true(sockets.get("2001:db8::1")!.destroyed && sockets.get("2001:db8::2")!.destroyed);
});

test("when all fail it says of each why, and nothing is left", (t) => {
  const { clock, result, sockets } = attempt(["192.0.2.1", "192.0.2.2"], {
    "192.0.2.1": { failedMs: 10 },
    "192.0.2.2": { failedMs: 700 },
  });
  clock.advanceBy(709);
  t.is(result.failed, undefined);
  clock.advanceBy(1);
  t.deepEqual(result.failed, ["ENETUNREACH", "ENETUNREACH"]);
  t.true([...sockets.values()].every(({ destroyed }) => destroyed));
  t.is(clock.nextAtMs, undefined);
});

test("a cancelled attempt leaves no socket and no timer", (t) => {
  const { clock, result, sockets, cancel } = attempt(["192.0.2.1", "192.0.2.2"], {
    "192.0.2.1": { connectedMs: 300 },
  });
  cancel();
  clock.advanceBy(5_000);
  t.deepEqual(result, {});
  t.true(sockets.size === 1 && sockets.get("192.0.2.1")!.destroyed);
});

test("a name is reached by the one of its addresses where somebody listens", async (t) => {
  const server = tcpTransport(1);
  const { endpoint } = await server.listen(parseAddress("tcp://127.0.0.1:0"), new Inbox());
  const client = createTcpTransport({
    clock: systemClock,
    identity: identityOf(2),
    config: TCP_CONFIG,
    resolve: async () => ["127.0.0.77", "::1", "127.0.0.1"],
  });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const dialed = await client.dial(
    { ...endpoint, host: "seed.example" },
    {
      timeoutMs: 20_000,
    },
  );
  t.is(dialed.peerId, identityOf(1).peerId);
});

/** Its queue holds two connections, and it takes none of them until its input ends. */
const FAR_HOST = `
  const { readSync, writeSync } = require("node:fs");
  const { connect, createServer } = require("node:net");
  const server = createServer((from) => {
    const to = connect(Number(process.argv[1]), "127.0.0.1");
    from.on("error", () => to.destroy()).pipe(to).on("error", () => from.destroy()).pipe(from);
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
    writeSync(1, String(server.address().port));
    readSync(0, Buffer.alloc(1));
  });
`;

/**
 * A host as if far away: the kernel answers nobody who connects while the queue is full, and who
 * asks again, after 1 s and later, connects when there is room.
 */
async function farHost(t: ExecutionContext, targetPort: number) {
  const child = spawn(process.execPath, ["-e", FAR_HOST, String(targetPort)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.teardown(() => child.kill("SIGKILL"));
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(said);
  for (let i = 0; i < 2; i++) {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    t.teardown(() => socket.destroy());
    await once(socket, "connect");
  }
  return { port, answer: () => void child.stdin.end() };
}

test("over real sockets too a far host is reached by a name with a second, dead address", async (t) => {
  if (process.platform !== "linux") return t.pass("others answer although their queue is full");
  t.timeout(60_000);
  const server = tcpTransport(1);
  const { endpoint } = await server.listen(parseAddress("tcp://127.0.0.1:0"), new Inbox());
  const { port, answer } = await farHost(t, endpoint.port);
  const client = createTcpTransport({
    clock: systemClock,
    identity: identityOf(2),
    config: TCP_CONFIG,
    resolve: async () => ["127.0.0.1", "2001:db8::1"],
  });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const dialed = client.dial(parseAddress(`tcp://seed.example:${port}`), { timeoutMs: 50_000 });
  dialed.catch(() => undefined);
  // Twice the time after which the second address is tried; longer does not matter.
  await delay(500);
  answer();
  t.is((await dialed).peerId, identityOf(1).peerId);
});
