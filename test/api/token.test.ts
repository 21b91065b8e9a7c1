import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { loadOrCreateToken, readToken, tokenFileIn } from "../../src/api/token.js";
import { temporaryDirectory } from "../cli/child.js";

test("a token is made once, for its owner's eyes alone", async (t) => {
  const file = tokenFileIn(await temporaryDirectory(t));
  await t.throwsAsync(readToken(file), { code: "DATA_UNREADABLE", message: /no such file/ });
  const made = await loadOrCreateToken(file);
  t.regex(made.text, /^[0-9a-f]{64}$/);
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.deepEqual(await loadOrCreateToken(file), made);
  t.deepEqual(await readToken(file), made);
  const other = await loadOrCreateToken(tokenFileIn(await temporaryDirectory(t)));
  t.not(other.text, made.text);
});

test("a token of the operator's own is taken, and told apart when others can read it", async (t) => {
  const file = path.join(await temporaryDirectory(t), "token");
  const text = "correct-horse-battery-staple-0123456789";
  await writeFile(file, `${text}\n`);
  await chmod(file, 0o640);
  t.deepEqual(await loadOrCreateToken(file), { text, isOpen: true });
  await chmod(file, 0o400);
  t.deepEqual(await loadOrCreateToken(file), { text, isOpen: false });
});

test("what is no token is refused by name, and never written over", async (t) => {
  const directory = await temporaryDirectory(t);
  const file = path.join(directory, "token");
  for (const text of ["", "short", `${"ab".repeat(32)}\n${"cd".repeat(32)}`, "ü".repeat(40)]) {
    await writeFile(file, text);
    await t.throwsAsync(loadOrCreateToken(file), {
      code: "KEY_INVALID",
      message: /holds no token/,
    });
    t.is(await readFile(file, "utf8"), text);
  }
  const nowhere = path.join(directory, "none", "token");
  await t.throwsAsync(loadOrCreateToken(nowhere), { code: "DATA_UNREADABLE", message: /ENOENT/ });
  await t.throwsAsync(loadOrCreateToken(directory), { code: "DATA_UNREADABLE", message: /EISDIR/ });
});
