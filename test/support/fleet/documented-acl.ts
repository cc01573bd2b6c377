import { readFileSync } from 'node:fs';

const PAGE = new URL('../../../docs/fleet.md', import.meta.url);
const START = 'ACL SETUSER inserve on >password ';

/** The rules of a user of Redis that docs/fleet.md says to be enough, for a fleet of another name. */
export function documentedRules(fleet: string): string[] {
  const page = readFileSync(PAGE, 'utf8');
  const from = page.indexOf(START);
  const to = page.indexOf('```', from);
  if (from < 0 || to < 0) throw new Error('docs/fleet.md has no ACL');
  const rules = page.slice(from + START.length, to).replaceAll('{default}', `{${fleet}}`);
  return rules.split(/\s+/).filter((rule) => rule !== '');
}
