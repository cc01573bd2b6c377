import { isMet, type Measured, type Outcome } from './scenario.ts';

/** The outcome of a scenario as text: its keys with what they must reach, then the details. */
export function describe(name: string, { measured, details }: Outcome): string {
  const lines = measured.map((one) => {
    const verdict = isMet(one) ? '' : '  MISSED';
    return `  ${`sim.${one.key}`.padEnd(36)} ${format(one.value).padStart(8)}  ${bar(one)}${verdict}`;
  });
  return [name, ...lines, ...details.map((detail) => `    ${detail}`)].join('\n');
}

export function format(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function bar({ most, least }: Measured): string {
  if (most !== undefined) return `≤ ${most}`;
  return least === undefined ? '' : `≥ ${least}`;
}
