import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { checkUnlocked, lockDirectory } from "../../src/storage/directory-lock.js";
import { openLmdbStores } from "../../src/storage/lmdb-environment.js";
import { GENESIS } from "./chain-model.js";

const CHILD = fileURLToPath(new URL("./store-child.js", import.meta.url));
/** A process id of its own, and where that takes rights, in a user namespace of its own. */
const CONTAINER = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"];

async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "vibecoin-lock-"));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A process that opens the stores and holds them; resolves to what it says first. */
async function holder(t: ExecutionContext, directory: string, prefix: readonly string[] = []) {
  const [command, ...args] = [...prefix, process.execPath, CHILD, directory, "hold"];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  t.teardown(() => child.kill("SIGKILL"));
  const said = await new Promise<string>((resolve) => {
    let text = "";
    child.stdout.once("data", (data) => resolve(String(data).trim()));
    child.stderr.on("data", (data) => (text += String(data)));
    child.once("close", () => resolve(text));
  });
  return { said, child };
}

async function killed({ child }: Awaited<ReturnType<typeof holder>>): Promise<void> {
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

const openAt = (directory: string) => openLmdbStores({ directory, genesis: GENESIS });

test("two containers cannot both hold a directory, though both are process 1", async (t) => {
  if (spawnSync(CONTAINER[0]!, [...CONTAINER.slice(1), "true"]).status !== 0) {
    t.log("this system makes no namespaces");
    t.pass();
    return;
  }
  const directory = await newDirectory(t);
  const first = await holder(t, directory, CONTAINER);
  t.is(first.said, "open");
  const second = await holder(t, directory, CONTAINER);
  t.regex(second.said, /is in use by process 1 of another container/);
  await t.throwsAsync(openAt(directory), { code: "DATA_LOCKED" });
  await killed(first);
  t.is((await holder(t, directory, CONTAINER)).said, "open");
});

test("a copy of a directory in use is not in use", async (t) => {
  const directory = await newDirectory(t);
  const copy = `${directory}-copy`;
  t.teardown(() => rm(copy, { recursive: true, force: true }));
  t.is((await holder(t, directory)).said, "open");
  execFileSync("cp", ["-a", directory, copy]);
  const stores = await openAt(copy);
  t.is(stores.blocks.head().height, 0);
  await stores.close();
});

test("a holder that was killed leaves a socket, which the next one removes", async (t) => {
  const directory = await newDirectory(t);
  await killed(await holder(t, directory));
  const sockets = async () => (await readdir(directory)).filter((name) => name.endsWith(".sock"));
  t.is((await sockets()).length, 1);
  await checkUnlocked(directory);
  const lock = await lockDirectory(directory);
  t.deepEqual(
    (await sockets()).map((name) => join(directory, name)),
    [lock.file],
  );
  await t.throwsAsync(checkUnlocked(directory), { code: "DATA_LOCKED" });
  await lock.release();
  t.deepEqual(await sockets(), []);
});

test("of takers that come at once never two hold it", async (t) => {
  const directory = await newDirectory(t);
  for (let round = 0; round < 5; round++) {
    await writeFile(join(directory, "lock-0123456789abcdef.sock"), "dead");
    const takers = await Promise.allSettled(
      Array.from({ length: 6 }, () => lockDirectory(directory)),
    );
    const locks = takers.flatMap((taker) => (taker.status === "fulfilled" ? [taker.value] : []));
    t.true(locks.length <= 1);
    for (const lock of locks) await lock.release();
  }
  await (await lockDirectory(directory)).release();
});

test("a directory is locked at the end of a path that is too long for a socket", async (t) => {
  const directory = join(await newDirectory(t), "d".repeat(120));
  await mkdir(directory);
  const lock = await lockDirectory(directory);
  await t.throwsAsync(lockDirectory(directory), { code: "DATA_LOCKED", message: /this process/ });
  await lock.release();
});

test("a holder that is stopped, or talks nonsense to, holds all the same", async (t) => {
  const directory = await newDirectory(t);
  const first = await holder(t, directory);
  first.child.kill("SIGSTOP");
  await t.throwsAsync(openAt(directory), { code: "DATA_LOCKED", message: /another process/ });
  first.child.kill("SIGCONT");
  const [name] = (await readdir(directory)).filter((each) => each.endsWith(".sock"));
  const socket = connect(join(directory, name!));
  socket.on("error", () => undefined).resume();
  socket.write("nonsense ".repeat(10_000));
  await new Promise((resolve) => socket.once("close", resolve));
  await t.throwsAsync(openAt(directory), {
    code: "DATA_LOCKED",
    message: new RegExp(`process ${first.child.pid}\\.`),
  });
});
