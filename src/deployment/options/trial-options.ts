import { invalidOption } from '../../errors.ts';
import { boolean, type Fields, number } from '../../validation/fields.ts';

/** How a new version is tried beside the one that runs, instead of replacing it. */
export interface TrialOptions {
  /** Share of the app's calls that the new version takes, 0…1: at random, but a session stays where it is. */
  canary?: number;
  /** The new version gets a copy of each call; what it makes of it is only compared. */
  shadow?: boolean;
}

export const TRIAL_FIELDS: Fields<TrialOptions> = { canary: number(0, 1), shadow: boolean() };

export type TrialKind = { readonly canary: number } | { readonly shadow: true };

/**
 * @param what how the options are called in an error
 * @returns undefined if it is no trial
 * @throws ServeError `SERVE_INVALID_OPTION` if it is both
 */
export function trialKind({ canary, shadow = false }: TrialOptions, what: string): TrialKind | undefined {
  if (canary === undefined) return shadow ? { shadow } : undefined;
  if (shadow) throw invalidOption(`${what}.shadow`, shadow, 'not to be set together with canary');
  return { canary };
}
