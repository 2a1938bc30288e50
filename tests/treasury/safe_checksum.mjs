// The checksum of a Transaction Builder batch, from its description alone: to be compared with ours.
// stdin: a JSON list of batches; stdout: a JSON list of what the app finds of each.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.argv[2]}/`);
const { keccak256 } = require("js-sha3");

const notation = (value) => {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(notation).join(",")}]`;
  const names = Object.keys(value).sort();
  return `{${JSON.stringify(names)}${names.map((name) => `${notation(value[name])},`).join("")}}`;
};

const found = JSON.parse(readFileSync(0, "utf8")).map((batch) => {
  const { checksum, ...meta } = batch.meta;
  return {
    checksum: `0x${keccak256(notation({ ...batch, meta: { ...meta, name: null } }))}`,
    // the app refuses a batch in which a number is not text
    encoded: batch.transactions.every(
      (one) =>
        typeof one.value === "string" &&
        Object.values(one.contractInputsValues ?? {}).every((given) => typeof given !== "number"),
    ),
    said: checksum,
  };
});
process.stdout.write(JSON.stringify(found));
