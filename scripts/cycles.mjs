// A check: no modules of src import one another in a circle, and no layers (a folder of src, or a
// file directly in it) either; imports of types count too. Whatever is in a circle cannot be read,
// tested or moved without all of it. An argument names another folder than src.

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import ts from "typescript";

import { root } from "./prepare-project.mjs";

const source = path.resolve(root, process.argv[2] ?? "src");

/** Of each module: those that it imports, by their paths below src. */
function importsOfModules() {
  const names = readdirSync(source, { recursive: true }).filter((name) => name.endsWith(".ts"));
  const known = new Set(names);
  const importsOf = (name) =>
    ts
      .preProcessFile(readFileSync(path.join(source, name), "utf8"))
      .importedFiles.filter(({ fileName }) => fileName.startsWith("."))
      .map(({ fileName }) => path.join(path.dirname(name), fileName).replace(/\.js$/, ".ts"))
      .filter((imported) => known.has(imported));
  return new Map(names.sort().map((name) => [name, new Set(importsOf(name))]));
}

/** The same of layers. */
function importsOfLayers(modules) {
  const layerOf = (name) => name.split(path.sep)[0].replace(/\.ts$/, "");
  const layers = new Map();
  for (const [name, imported] of modules) {
    const from = layerOf(name);
    const to = layers.get(from) ?? new Set();
    for (const each of imported) if (layerOf(each) !== from) to.add(layerOf(each));
    layers.set(from, to);
  }
  return layers;
}

/** Each as the list of its members: the nodes that reach one another, found by Tarjan's way. */
function* circles(graph) {
  const found = new Map();
  const stack = [];
  const circlesFrom = function* (node) {
    const at = found.size;
    found.set(node, { lowest: at, open: true });
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!found.has(next)) yield* circlesFrom(next);
      const other = found.get(next);
      if (other.open) found.get(node).lowest = Math.min(found.get(node).lowest, other.lowest);
    }
    if (found.get(node).lowest !== at) return;
    const members = stack.splice(stack.indexOf(node));
    for (const member of members) found.get(member).open = false;
    if (members.length > 1) yield members;
  };
  for (const node of graph.keys()) if (!found.has(node)) yield* circlesFrom(node);
}

const modules = importsOfModules();
for (const graph of [modules, importsOfLayers(modules)]) {
  for (const members of circles(graph)) {
    const lines = members.map((member) => {
      const within = members.filter((other) => graph.get(member).has(other));
      return `  ${member} imports ${within.join(", ")}`;
    });
    console.error(["These import one another in a circle:", ...lines].join("\n"));
    process.exitCode = 1;
  }
}
