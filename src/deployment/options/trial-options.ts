import { invalidOption } from '../../errors.ts';
import { boolean, type Fields, number } from '../../validation/fields.ts';

/** Ways to try a new version beside the running one, instead of replacing it. */
export interface TrialOptions {
  /** Share of the app's calls that the new version receives, 0…1: at random, but a session stays with one version. */
  canary?: number;
  /** Whether the new version receives a copy of each call; its results are only compared. */
  shadow?: boolean;
}

export const TRIAL_FIELDS: Fields<TrialOptions> = { canary: number(0, 1), shadow: boolean() };

export type TrialKind = { readonly canary: number } | { readonly shadow: true };

/**
 * @param what name of the options in an error
 * @returns undefined if the options start no trial
 * @throws ServeError `SERVE_INVALID_OPTION` if it is both
 */
export function trialKind({ canary, shadow = false }: TrialOptions, what: string): TrialKind | undefined {
  if (canary === undefined) return shadow ? { shadow } : undefined;
  if (shadow) throw invalidOption(`${what}.shadow`, shadow, 'not to be set together with canary');
  return { canary };
}
