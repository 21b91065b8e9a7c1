// ESLint rule: a file imports only what the table in eslint.config.js allows for its layer. A
// layer is a folder of src or a file directly in it.

import { readFileSync } from "node:fs";
import path from "node:path";

export const importTable = {
  meta: {
    type: "problem",
    messages: {
      unknown: "The layer {{from}} is not in the import table.",
      layer: "{{from}} may not import {{to}}.",
      typeOnly: "{{from}} may import only types of {{to}}: use `import type`.",
      actor: "One actor imports only types of another; only a parent imports what it spawns.",
      package: "Only {{owners}} may import {{name}}.",
      outside: "src imports nothing outside src.",
    },
    schema: [
      {
        type: "object",
        properties: {
          root: { type: "string" },
          layers: { type: "object" },
          everyone: { type: "object" },
          packages: { type: "object" },
          actorParents: { type: "array" },
        },
        required: ["root", "layers", "everyone", "packages", "actorParents"],
        additionalProperties: false,
      },
    ],
  },

  create(context) {
    const [table] = context.options;
    const source = path.join(table.root, "src");
    const file = context.filename;
    const from = layerOf(source, file);

    const check = (node, specifier, typeOnly) => {
      if (typeof specifier !== "string") return;
      const problem = specifier.startsWith(".")
        ? relativeProblem(path.resolve(path.dirname(file), specifier), typeOnly)
        : packageProblem(specifier);
      if (problem) context.report({ node, ...problem });
    };

    const relativeProblem = (target, typeOnly) => {
      const to = layerOf(source, target);
      if (to === undefined) return { messageId: "outside" };
      if (to === from) return from === "actors" ? actorProblem(target, typeOnly) : undefined;
      const layer = table.layers[from];
      if (!layer) return { messageId: "unknown", data: { from } };
      if (layer.imports === "anything") return undefined;
      const allowed = (kind) => [...layer[kind], ...table.everyone[kind]].includes(to);
      if (allowed("imports")) return undefined;
      if (!allowed("types")) return { messageId: "layer", data: { from, to } };
      return typeOnly ? undefined : { messageId: "typeOnly", data: { from, to } };
    };

    const actorProblem = (target, typeOnly) => {
      const name = path.relative(path.join(source, "actors"), file).replaceAll(path.sep, "/");
      if (typeOnly || table.actorParents.includes(name)) return undefined;
      return definesActor(target.replace(/\.js$/, ".ts")) ? { messageId: "actor" } : undefined;
    };

    const packageProblem = (specifier) => {
      const name = specifier.match(/^(@[^/]+\/)?[^/]+/)[0];
      const owners = table.packages[name];
      if (!owners || owners.includes(from)) return undefined;
      return { messageId: "package", data: { name, owners: owners.join(", ") } };
    };

    const declaration = (node) => {
      if (node.source) check(node, node.source.value, isTypeOnly(node));
    };
    return {
      ImportDeclaration: declaration,
      ExportNamedDeclaration: declaration,
      ExportAllDeclaration: declaration,
      ImportExpression: (node) => check(node, node.source.value, false),
      TSImportType: (node) => check(node, node.source?.value, true),
    };
  },
};

function layerOf(source, file) {
  const relative = path.relative(source, file);
  if (relative.startsWith("..")) return undefined;
  return relative.split(path.sep)[0].replace(/\.[jt]s$/, "");
}

function isTypeOnly(node) {
  if (node.importKind === "type" || node.exportKind === "type") return true;
  const specifiers = node.specifiers ?? [];
  return (
    specifiers.length > 0 &&
    specifiers.every((each) => each.importKind === "type" || each.exportKind === "type")
  );
}

function definesActor(file) {
  try {
    return /\bdefineActor\s*[<(]/.test(readFileSync(file, "utf8"));
  } catch {
    return false;
  }
}
