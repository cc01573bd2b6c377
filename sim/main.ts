import { parseArgs } from 'node:util';
import { describe } from './report.ts';
import { isMet, type Measured, type Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const USAGE = `usage: node sim/main.ts [scenario…] [--seed N] [--scale N]
scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}`;

await main();

async function main(): Promise<void> {
  const command = readCommand();
  if (typeof command === 'string') {
    console.error(`${command}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const { chosen, seed, scale } = command;
  const all: Measured[] = [];
  for (const scenario of chosen) {
    const outcome = await scenario.run({ seed, scale });
    all.push(...outcome.measured);
    console.log(`${describe(scenario.name, outcome)}\n`);
  }
  process.exitCode = all.every(isMet) ? 0 : 1;
  // The last line of stdout, for machines.
  console.log(
    JSON.stringify({
      bench: 'sim',
      seed,
      scale,
      ratios: Object.fromEntries(all.map(({ key, value }) => [`sim.${key}`, Number(value.toPrecision(4))])),
      missed: all.filter((one) => !isMet(one)).map(({ key }) => `sim.${key}`),
    }),
  );
}

function readCommand() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { seed: { type: 'string' }, scale: { type: 'string' } },
    });
    const chosen: Scenario[] = [];
    for (const name of positionals) {
      const scenario = SCENARIOS.find((one) => one.name === name);
      if (scenario === undefined) return `no scenario named '${name}'`;
      chosen.push(scenario);
    }
    return {
      chosen: chosen.length === 0 ? SCENARIOS : chosen,
      seed: positive('--seed', values.seed ?? '1'),
      scale: positive('--scale', values.scale ?? '1'),
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new RangeError(`${option} must be a number > 0, not '${text}'`);
  return value;
}
