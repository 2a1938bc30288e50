// Compiles the contracts and writes what the package carries of each: ABI, bytecode, and where in the deployed
// code each immutable stands. `--check` writes nothing and fails when a committed file differs.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const carried = join(here, "..", "src", "liqpass");
const solc = createRequire(import.meta.url)("solc");
const targets = {
  PremiumCheckout: "chain/premium_checkout.json",
  SignatureValidator: "signin/signature_validator.json",
};

// No metadata in the code: then the same source gives the same bytes on every machine and in every folder.
const settings = {
  evmVersion: "cancun",
  optimizer: { enabled: true, runs: 1000 },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};

function compile(contract, source) {
  const input = {
    language: "Solidity",
    sources: { [source]: { content: readFileSync(join(here, source), "utf8") } },
    settings: {
      ...settings,
      outputSelection: {
        "*": {
          "": ["ast"],
          [contract]: [
            "abi",
            "evm.bytecode.object",
            "evm.deployedBytecode.object",
            "evm.deployedBytecode.immutableReferences",
          ],
        },
      },
    },
  };
  const findImport = (path) => ({ contents: readFileSync(join(here, "node_modules", path), "utf8") });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const complaints = output.errors ?? [];
  for (const complaint of complaints) console.error(complaint.formattedMessage);
  if (complaints.length > 0) process.exit(1);
  return output;
}

/** The names of the immutables by the id that the compiler gives them in this compilation. */
function variableNames(output) {
  const names = new Map();
  for (const { ast } of Object.values(output.sources)) {
    for (const definition of ast.nodes.filter((node) => node.nodeType === "ContractDefinition")) {
      for (const node of definition.nodes.filter((member) => member.mutability === "immutable")) {
        names.set(String(node.id), node.name);
      }
    }
  }
  return names;
}

function artefact(contract) {
  const source = `${contract}.sol`;
  const output = compile(contract, source);
  const { abi, evm } = output.contracts[source][contract];
  const names = variableNames(output);
  const references = Object.entries(evm.deployedBytecode.immutableReferences);
  const immutables = references.map(([id, places]) => [names.get(id), places.map((place) => place.start)]);
  return {
    contract,
    compiler: solc.version(),
    settings,
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    immutables: Object.fromEntries(immutables.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

for (const [contract, target] of Object.entries(targets)) {
  const fresh = `${JSON.stringify(artefact(contract), null, 2)}\n`;
  if (!process.argv.includes("--check")) {
    writeFileSync(join(carried, target), fresh);
  } else if (readFileSync(join(carried, target), "utf8") !== fresh) {
    console.error(`src/liqpass/${target} is not what ${contract}.sol compiles to: run \`node build.mjs\``);
    process.exit(1);
  }
}
