// The contract of a Transport, run on every implementation: what a listener, a dialer and a peer
// handler may rely on.

import test from "ava";
import type { ExecutionContext } from "ava";
import fc from "fast-check";

import type { ErrorCode } from "../../src/errors.js";
import { isCoded } from "../../src/errors.js";
import type { Connection, PeerId, Transport, TransportListener } from "../../src/ports.js";
import { formatAddress, parseAddress, type Endpoint } from "../../src/protocol/address.js";
import { Inbox, patterned, Recorder } from "./support.js";

export interface World {
  readonly server: Transport;
  readonly client: Transport;
  readonly serverId: PeerId;
  readonly clientId: PeerId;
  /** Of the server's host, with any free port. */
  readonly anywhere: Endpoint;
  /** Where nobody listens. */
  readonly nobody: Endpoint;
  /** Where a listener accepts and never answers. */
  silent(): Promise<Endpoint>;
  /** How many established connections are alive, both sides. */
  liveCount(): number;
}

interface Pair {
  readonly dialed: Connection;
  readonly accepted: Connection;
  readonly inbox: Inbox;
  readonly listener: TransportListener;
}

export function transportContract(
  name: string,
  createWorld: (t: ExecutionContext) => Promise<World> | World,
): void {
  const check = (title: string, body: (t: ExecutionContext, world: World) => Promise<void>): void =>
    test(`${name}: ${title}`, async (t) => {
      t.timeout(60_000);
      const world = await createWorld(t);
      t.teardown(async () => {
        await world.client.close();
        await world.server.close();
      });
      await body(t, world);
    });

  identityChecks(check);
  dataChecks(check);
  flowChecks(check);
  endChecks(check);
  failureChecks(check);
}

type Check = (title: string, body: (t: ExecutionContext, world: World) => Promise<void>) => void;

async function connect(world: World): Promise<Pair> {
  const inbox = new Inbox();
  const listener = await world.server.listen(world.anywhere, inbox);
  const dialed = await world.client.dial(listener.endpoint, { timeoutMs: 20_000 });
  return { dialed, accepted: await inbox.connection(), inbox, listener };
}

async function rejects(t: ExecutionContext, promise: Promise<unknown>, code: ErrorCode) {
  const error = await t.throwsAsync(promise);
  t.true(isCoded(error, code), `${code} expected, got ${error.stack}`);
  return error;
}

function identityChecks(check: Check): void {
  check("each side knows the other's id, direction and address", async (t, world) => {
    const { dialed, accepted, listener } = await connect(world);
    t.is(dialed.peerId, world.serverId);
    t.is(accepted.peerId, world.clientId);
    t.is(dialed.direction, "outbound");
    t.is(accepted.direction, "inbound");
    t.deepEqual(dialed.remote, listener.endpoint);
    t.deepEqual(accepted.local, dialed.remote);
    t.deepEqual(accepted.remote, dialed.local);
    t.is(accepted.remote.scheme, world.server.scheme);
    t.true(accepted.openedAtMs >= dialed.openedAtMs);
  });

  check("the listener's address has the real port", async (t, world) => {
    const listener = await world.server.listen(world.anywhere, new Inbox());
    t.deepEqual({ ...listener.endpoint, port: 0 }, world.anywhere);
    t.true(listener.endpoint.port > 0);
  });

  check("a dial that expects the right id succeeds", async (t, world) => {
    const inbox = new Inbox();
    const { endpoint } = await world.server.listen(world.anywhere, inbox);
    const pinned = { ...endpoint, peerId: world.serverId };
    t.is((await world.client.dial(pinned, { timeoutMs: 20_000 })).peerId, world.serverId);
  });

  check("a dial that expects another id is refused and leaves nothing", async (t, world) => {
    const { endpoint } = await world.server.listen(world.anywhere, new Inbox());
    const other = "ab".repeat(32);
    const dial = world.client.dial({ ...endpoint, peerId: other }, { timeoutMs: 20_000 });
    const error = await rejects(t, dial, "DIAL_FAILED");
    t.regex(error?.message ?? "", new RegExp(`${world.serverId}, not ${other}`));
  });
}

function dataChecks(check: Check): void {
  check("a chunk may be written to again once it is given back, not before", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const received = new Recorder(accepted);
    new Recorder(dialed);
    const data = patterned(20 * 30_000);
    const given: Promise<void>[] = [];
    for (let at = 0; at < data.length; at += 30_000) {
      const chunk = data.slice(at, at + 30_000);
      const taken = new Promise<void>((resolve) => void dialed.write(chunk, resolve));
      given.push(taken.then(() => void chunk.fill(0)));
    }
    await received.received(data.length);
    await Promise.all(given);
    t.deepEqual(new Uint8Array(Buffer.concat(received.chunks)), data);
  });

  check("bytes arrive both ways, whole and in order, however they are split", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const sides = [new Recorder(dialed), new Recorder(accepted)] as const;
    const splits = fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 12 });
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(splits, async (sizes) => {
        const data = patterned(sizes.reduce((sum, size) => sum + size, 0));
        for (const side of sides) {
          let offset = 0;
          for (const size of sizes) {
            side.connection.write(data.slice(offset, offset + size));
            offset += size;
          }
        }
        sent += data.length;
        await Promise.all(sides.map((side) => side.received(sent)));
        for (const side of sides) {
          const got = Buffer.concat(side.chunks);
          side.chunks = [];
          if (!got.equals(data)) throw new Error("other bytes than were sent");
        }
      }),
      { numRuns: 25, seed: 7 },
    );
    t.is(sides[0].bytes, sent);
    t.is(sides[1].bytes, sent);
  });

  check("a chunk is the receiver's own: its buffer holds nothing else", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const receiver = new Recorder(accepted);
    const shared = new Uint8Array(1_000).fill(1);
    dialed.write(shared.subarray(100, 300));
    await receiver.received(200);
    dialed.write(shared.subarray(0, 50));
    await receiver.received(250);
    for (const chunk of receiver.chunks) {
      t.is(chunk.byteOffset, 0);
      t.is(chunk.buffer.byteLength, chunk.length);
      t.not(chunk.buffer, shared.buffer);
    }
  });

  check("what was written before the other side opened waits for it", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    dialed.write(Buffer.from("early"));
    const sender = new Recorder(dialed);
    accepted.write(Buffer.from("hello"));
    await sender.received(5);
    const receiver = new Recorder(accepted);
    await receiver.received(5);
    t.is(receiver.text(), "early");
  });
}

function flowChecks(check: Check): void {
  check("a writer is told to wait, and when it may go on", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const writer = new Recorder(dialed);
    const chunk = patterned(64 * 1024);
    let written = 0;
    let accepting = true;
    while (accepting && written < 256 * 1024 * 1024) {
      accepting = dialed.write(chunk);
      written += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.false(accepting, "the buffer has an end");
    t.true(dialed.bufferedBytes > 0);
    t.is(writer.drains, 0);
    const reader = new Recorder(accepted);
    await writer.drained();
    t.true(dialed.bufferedBytes <= 256 * 1024);
    t.true(dialed.write(Buffer.from("x")));
    await reader.received(written + 1);
    t.is(reader.bytes, written + 1);
  });

  check("a paused connection delivers nothing until it is resumed", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const writer = new Recorder(dialed);
    const reader = new Recorder(accepted);
    dialed.write(Buffer.from("one"));
    await reader.received(3);
    accepted.pause();
    dialed.write(Buffer.from("two"));
    // The answer can only arrive after "two" had its chance.
    accepted.write(Buffer.from("answer"));
    await writer.received(6);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    t.is(reader.text(), "one");
    accepted.resume();
    await reader.received(6);
    t.is(reader.text(), "onetwo");
  });

  check("a handler may pause from within its own data", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const reader = new Recorder(accepted, { open: false });
    let calls = 0;
    accepted.open({
      onData: (chunk) => {
        calls += 1;
        accepted.pause();
        reader.onData(chunk);
      },
      onDrain: () => {},
      onClose: () => {},
    });
    const data = patterned(300_000);
    dialed.write(data);
    let seen = 0;
    while (reader.bytes < data.length) {
      await reader.received(seen + 1);
      seen = reader.bytes;
      accepted.resume();
    }
    t.true(calls >= 1);
    t.deepEqual(Buffer.concat(reader.chunks), Buffer.from(data));
  });
}

function endChecks(check: Check): void {
  check("an orderly close flushes and both sides end without an error", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const closer = new Recorder(dialed);
    const other = new Recorder(accepted);
    const data = patterned(3 * 1024 * 1024);
    for (let at = 0; at < data.length; at += 65_536) dialed.write(data.slice(at, at + 65_536));
    dialed.close();
    t.false(dialed.write(Buffer.from("late")), "nothing goes after the close");
    await Promise.all([closer.closed(), other.closed()]);
    t.is(other.bytes, data.length);
    t.true(Buffer.concat(other.chunks).equals(data));
    t.is(closer.error, undefined);
    t.is(other.error, undefined);
    t.is(world.liveCount(), 0);
  });

  check(
    "the last words of a closing side survive bytes that it no longer reads",
    async (t, world) => {
      const { dialed, accepted } = await connect(world);
      const closer = new Recorder(dialed);
      const other = new Recorder(accepted);
      for (let i = 0; i < 20; i++) accepted.write(patterned(64 * 1024));
      dialed.write(Buffer.from("goodbye"));
      dialed.close();
      await Promise.all([other.closed(), closer.closed()]);
      t.is(other.text(), "goodbye");
      t.is(closer.bytes, 0);
    },
  );

  check("a close that the other side does not take ends in bounded time", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const closer = new Recorder(dialed);
    while (dialed.write(patterned(256 * 1024))) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    dialed.close();
    await closer.closed();
    t.is(closer.closes, 1);
    accepted.destroy();
  });

  check("both sides may close at once", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const sides = [new Recorder(dialed), new Recorder(accepted)];
    dialed.close();
    accepted.close();
    dialed.close();
    await Promise.all(sides.map((side) => side.closed()));
    t.deepEqual(
      sides.map((side) => [side.closes, side.error]),
      [
        [1, undefined],
        [1, undefined],
      ],
    );
    t.is(world.liveCount(), 0);
  });

  check("destroy ends both sides, each told once", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const sides = [new Recorder(dialed), new Recorder(accepted)];
    dialed.destroy();
    t.deepEqual(
      sides.map((side) => side.closes),
      [0, 0],
      "never from within the call",
    );
    dialed.destroy();
    dialed.close();
    t.false(dialed.write(Buffer.from("late")));
    await Promise.all(sides.map((side) => side.closed()));
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    t.deepEqual(
      sides.map((side) => side.closes),
      [1, 1],
    );
    t.is(world.liveCount(), 0);
  });

  check("a connection that ended before it was opened still reports its end", async (t, world) => {
    const { dialed, accepted } = await connect(world);
    const other = new Recorder(accepted);
    dialed.destroy();
    await other.closed();
    const late = new Recorder(dialed);
    t.is(late.closes, 0);
    await late.closed();
    t.is(late.closes, 1);
  });

  check("closing the listener keeps its connections and frees its address", async (t, world) => {
    const { dialed, accepted, listener } = await connect(world);
    const reader = new Recorder(accepted);
    new Recorder(dialed);
    await listener.close();
    await rejects(t, world.client.dial(listener.endpoint, { timeoutMs: 20_000 }), "DIAL_FAILED");
    dialed.write(Buffer.from("still here"));
    await reader.received(10);
    t.is(reader.text(), "still here");
    const again = await world.server.listen(listener.endpoint, new Inbox());
    t.deepEqual(again.endpoint, listener.endpoint);
  });

  check("closing the transport ends everything it made", async (t, world) => {
    const { dialed, accepted, listener } = await connect(world);
    const sides = [new Recorder(dialed), new Recorder(accepted)];
    const pending = world.server.dial(await world.silent(), { timeoutMs: 60_000 });
    const failed = rejects(t, pending, "CLOSED");
    await world.server.close();
    await failed;
    await Promise.all(sides.map((side) => side.closed()));
    await rejects(t, world.server.listen(listener.endpoint, new Inbox()), "CLOSED");
    await rejects(t, world.server.dial(listener.endpoint, { timeoutMs: 10 }), "CLOSED");
    t.is(world.liveCount(), 0);
  });
}

function failureChecks(check: Check): void {
  check("a dial to nobody fails, naming the address", async (t, world) => {
    const dial = world.client.dial(world.nobody, { timeoutMs: 20_000 });
    const error = await rejects(t, dial, "DIAL_FAILED");
    t.true(error?.message.includes(formatAddress(world.nobody)));
  });

  check("a dial that gets no answer fails at its deadline", async (t, world) => {
    const dial = world.client.dial(await world.silent(), { timeoutMs: 100 });
    const error = await rejects(t, dial, "DIAL_FAILED");
    t.regex(error?.message ?? "", /handshake-timeout/);
    t.is(world.liveCount(), 0);
  });

  check("an address that is taken is ADDRESS_IN_USE", async (t, world) => {
    const listener = await world.server.listen(world.anywhere, new Inbox());
    const again = world.server.listen(listener.endpoint, new Inbox());
    const error = await rejects(t, again, "ADDRESS_IN_USE");
    t.true(error?.message.includes(formatAddress(listener.endpoint)));
  });

  check(
    "addresses of other schemes, other hosts or no port are ADDRESS_INVALID",
    async (t, world) => {
      const options = { timeoutMs: 1_000 };
      const handler = new Inbox();
      const foreign = parseAddress("carrier-pigeon://127.0.0.1:1");
      await rejects(t, world.client.dial(foreign, options), "ADDRESS_INVALID");
      await rejects(t, world.client.dial(world.anywhere, options), "ADDRESS_INVALID");
      await rejects(t, world.server.listen(foreign, handler), "ADDRESS_INVALID");
      const pinned = { ...world.anywhere, peerId: world.serverId };
      await rejects(t, world.server.listen(pinned, handler), "ADDRESS_INVALID");
      const elsewhere = { ...world.anywhere, host: "192.0.2.1", port: 1 };
      await rejects(t, world.server.listen(elsewhere, handler), "ADDRESS_INVALID");
    },
  );
}
