// A data directory that a failing disk damaged: what the commands say of it. One at a time: each
// test starts whole processes.

import { open, readFile, truncate } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { rootPageOf } from "../support/lmdb-root.js";
import { runCli, temporaryDirectory } from "./child.js";

const PAGE = 4_096;

const DAMAGES: Readonly<Record<string, (file: string, data: Buffer) => Promise<void>>> = {
  "a page of zeros": (file, data) => overwrite(file, [rootPageOf(data)]),
  "nothing but zeros": (file, data) =>
    overwrite(
      file,
      Array.from({ length: data.length / PAGE - 2 }, (_, i) => i + 2),
    ),
  "a lost end": (file, data) => truncate(file, rootPageOf(data) * PAGE),
  "a lost half": (file, data) => truncate(file, data.length / 2),
};

async function overwrite(file: string, pages: readonly number[]): Promise<void> {
  const handle = await open(file, "r+");
  for (const page of pages) await handle.write(new Uint8Array(PAGE), 0, PAGE, page * PAGE);
  await handle.close();
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  test.serial(`run and verify say that a store is damaged and exit 2: ${name}`, async (t) => {
    const data = await temporaryDirectory(t);
    await runCli(t, "chain", "generate", "--blocks", "60", "--txs", "40", "--data", data);
    const file = path.join(data, "data.mdb");
    await damage(file, await readFile(file));
    for (const command of [["chain", "verify"], ["run"]]) {
      const { code, stderr } = await runCli(t, ...command, "--data", data);
      t.is(code, 2, `${command.join(" ")}: ${stderr}`);
      t.regex(
        stderr,
        /^vibecoin-node: The data directory .* is damaged: .* Put a copy in its place/,
      );
      t.is(stderr.trimEnd().split("\n").length, 1, stderr);
    }
  });
}
