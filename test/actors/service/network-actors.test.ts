// The picture in docs/architecture.md against the code that spawns the actors.

import test from "ava";
import { readFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../../../..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");
const source = read("src/actors/service/network-actors.ts").replace(/\s+/g, " ");
const text = read("docs/architecture.md");

const SPAWN =
  /(?:(\w+)(?: =|:) )?context\.spawn\( ?\w+, (\{[^}]*\}|\w+), \{ name: "([\w-]+)" \},? ?\)/g;
const spawned = [...source.matchAll(SPAWN)].map(([, variable = "", args, name]) => ({
  variable,
  args: args!,
  name: name!,
}));
const names = new Map([
  ["events", "events"],
  ["context.self", "network"],
  ...spawned.map(({ variable, name }) => [variable, name] as const),
]);
const objects = new Map(
  [...source.matchAll(/const (\w+) = (\{[^}]*\});/g)].map(([, name, body]) => [name!, body!]),
);

/** To whom an actor is introduced by its arguments, in their order. */
function introduced(args: string): readonly string[] {
  const members = (objects.get(args) ?? args).slice(1, -1).split(",");
  return members.flatMap((member) => names.get(member.trim().split(": ").at(-1)!) ?? []);
}

test("the picture has every arrow from an actor to one that it is given, and no other", (t) => {
  const protocols = /spawnProtocols\((\{[^}]*\})/.exec(source)![1]!;
  const given = [...spawned, { name: "protocols", args: protocols }].flatMap(({ name, args }) =>
    introduced(args).map((to) => `${name} ${to === "events" ? "-.->" : "-->"} ${to}`),
  );
  const picture = /```mermaid\n([^]*?)```/.exec(text)![1]!;
  const arrows = picture.split("\n").filter((line) => line.includes("->"));
  t.true(given.length > 40);
  t.deepEqual(arrows.map((line) => line.trim()).sort(), given.sort());
});

test("the tree of actors names every one that the network spawns", (t) => {
  const tree = /```\n(node\/events[^]*?)```/.exec(text)![1]!;
  for (const { name } of spawned) t.regex(tree, new RegExp(`(─ |, )${name}\\b`), name);
});
