/** The name of the app that tries a new version beside another app: `speech@canary`, `speech@shadow`. */
export function trialName(app: string, kind: 'canary' | 'shadow'): string {
  return `${app}@${kind}`;
}

/** The app beside which a trial runs; undefined if the name is not that of a trial. */
export function triedApp(name: string): string | undefined {
  const at = name.indexOf('@');
  return at === -1 ? undefined : name.slice(0, at);
}
