/** The dependency of a deployment that a test replaces by a mock. */
export function label(): string {
  return 'real';
}
