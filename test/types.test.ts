import test from "ava";
import ts from "typescript";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

test("the built types pass a full check, as a user without skipLibCheck has it", (t) => {
  const entries = ["index", "actors/index", "runtime/index", "protocol/index", "sim/index"];
  const program = ts.createProgram({
    rootNames: entries.map((entry) => `${root}dist/src/${entry}.d.ts`),
    options: {
      target: ts.ScriptTarget.ES2023,
      lib: ["lib.es2023.d.ts"],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: ["node"],
      noEmit: true,
    },
  });
  const files = program.getSourceFiles().map(({ fileName }) => fileName);
  t.deepEqual(
    files.filter((name) => name.includes("/piscina/")),
    [],
    "types that fail this check in the versions that users have",
  );
  const wrong = ts.getPreEmitDiagnostics(program);
  t.deepEqual(
    wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " ")),
    [],
  );
});
