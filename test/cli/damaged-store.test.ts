// A data directory that a failing disk damaged: what the commands say of it. One at a time: each
// test starts whole processes.

import { open, stat, truncate } from "node:fs/promises";
import path from "node:path";
import test from "ava";
import { runCli, temporaryDirectory } from "./child.js";

const PAGE = 4_096;

/** Page 2 of a new store is in use, and so are most of the last ones. */
const DAMAGES: Readonly<Record<string, (file: string, size: number) => Promise<void>>> = {
  "a page of zeros": (file) => overwrite(file, [2]),
  "many pages of zeros": (file, size) =>
    overwrite(
      file,
      Array.from({ length: size / PAGE - 2 }, (_, i) => i + 2).filter((page) => page % 3 === 0),
    ),
  "a lost end of 100 kB": (file, size) => truncate(file, size - 100_000),
  "a lost half": (file, size) => truncate(file, size / 2),
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
    await damage(file, (await stat(file)).size);
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
