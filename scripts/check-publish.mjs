/**
 * Refuses to publish while package.json does not say where the project lives: without these fields the links of the README lead
 * nowhere on the registry's page, and nobody can report a fault. See "Before the first release" in CONTRIBUTING.md.
 *
 * usage: node scripts/check-publish.mjs [package.json]
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const file = process.argv[2] ?? fileURLToPath(new URL('../package.json', import.meta.url));
const { repository, homepage, bugs } = JSON.parse(readFileSync(file, 'utf8'));

/** The address that a field names, as text or as an object with `url`. */
function addressOf(field) {
  return typeof field === 'object' && field !== null ? field.url : field;
}

/** Whether a field names a page on the web. The host of a placeholder has no dot, or is reserved for examples. */
function isPublic(field) {
  const address = String(addressOf(field) ?? '').replace(/^git\+/, '');
  if (!URL.canParse(address)) return false;
  const { protocol, hostname } = new URL(address);
  const isReserved = /(?:^|\.)(?:example|invalid|localhost|test)$|(?:^|\.)example\.(?:com|net|org)$/.test(
    hostname,
  );
  return /^(?:https|ssh):$/.test(protocol) && hostname.includes('.') && !isReserved;
}

const missing = Object.entries({ repository, homepage, bugs })
  .filter(([, field]) => !isPublic(field))
  .map(([name]) => name);
if (missing.length > 0) {
  console.error(
    `package.json needs a public https address in: ${missing.join(', ')}. See "Before the first release" in CONTRIBUTING.md.`,
  );
  process.exit(1);
}
