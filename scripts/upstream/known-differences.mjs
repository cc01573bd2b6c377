/** Tests of the upstream suites that cannot pass with any middleware in front, `{ test: /name/, why }`: none yet. */
export const KNOWN = {
  express: [],
};
