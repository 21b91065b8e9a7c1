// ESLint rule: no ambient authority (clock, chance, environment, sockets) outside the adapter
// files that eslint.config.js names for it. Code gets these through ports, so that a simulator
// can hand it others.

import path from "node:path";

export const noAmbient = {
  meta: {
    type: "problem",
    messages: {
      ambient:
        "{{what}} is an ambient {{authority}}: take it from a port, or from an adapter file.",
    },
    schema: [
      {
        type: "object",
        properties: { root: { type: "string" }, authorities: { type: "object" } },
        required: ["root", "authorities"],
        additionalProperties: false,
      },
    ],
  },

  create(context) {
    const [{ root, authorities }] = context.options;
    const file = path.relative(root, context.filename).replaceAll(path.sep, "/");
    const banned = Object.entries(authorities).filter(
      ([, { adapters }]) => !adapters.some((pattern) => matches(file, pattern)),
    );
    if (banned.length === 0) return {};
    const report = (node, what) => {
      const entry = banned.find(([, { uses }]) => uses.includes(what));
      if (entry)
        context.report({ node, messageId: "ambient", data: { what, authority: entry[0] } });
    };
    const isGlobal = (identifier) => {
      const { references } = context.sourceCode.getScope(identifier);
      const reference = references.find((each) => each.identifier === identifier);
      return reference !== undefined && !reference.resolved?.defs.length;
    };
    /** `x` and `globalThis.x` are the global x. */
    const globalName = (node) => {
      if (node.type === "Identifier") return isGlobal(node) ? node.name : undefined;
      if (node.type !== "MemberExpression") return undefined;
      return globalName(node.object) === "globalThis" ? propertyName(node) : undefined;
    };

    return {
      "Identifier, MemberExpression"(node) {
        const name = globalName(node);
        if (name !== undefined && !(name === "Date" && isHarmlessDate(node))) report(node, name);
      },
      MemberExpression(node) {
        const base = globalName(node.object);
        if (base !== undefined) report(node, `${base}.${propertyName(node)}`);
      },
      "ImportDeclaration, ExportNamedDeclaration, ExportAllDeclaration"(node) {
        if (node.source) importsOf(node).forEach((what) => report(node, what));
      },
      ImportExpression({ source }) {
        if (source.type === "Literal")
          wholeModule(source.value).forEach((what) => report(source, what));
      },
    };
  },
};

/** `new Date(value)` reads no clock, and a static member is judged by its name. */
function isHarmlessDate({ parent }) {
  if (parent.type === "NewExpression") return parent.arguments.length > 0;
  return parent.type !== "CallExpression";
}

function propertyName({ computed, property }) {
  if (!computed) return property.name;
  return property.type === "Literal" ? String(property.value) : undefined;
}

/** Each name that is taken from a module, as `node:crypto#randomBytes`, and the module itself. */
function importsOf(node) {
  if (node.importKind === "type" || node.exportKind === "type") return [];
  const [module, all] = wholeModule(node.source.value);
  if (node.type === "ExportAllDeclaration") return [module, all];
  const names = node.specifiers.map(({ imported, local, type }) => {
    if (type === "ExportSpecifier") return `${module}#${local.name}`;
    return imported ? `${module}#${imported.name}` : all;
  });
  return [module, ...names];
}

/** The module, and the mark of one that is taken as a whole. */
function wholeModule(specifier) {
  const module = specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  return [module, `${module}#*`];
}

/** A pattern is a path in which `*` stands for anything but `/`, and a final `/` for all below. */
function matches(file, pattern) {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}${pattern.endsWith("/") ? "" : "$"}`).test(file);
}
