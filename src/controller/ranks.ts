/** A replica and its rank. */
export interface Ranked {
  readonly rank: number;
}

/** The lowest free rank. */
export function freeRank(taken: Iterable<Ranked>): number {
  const ranks = new Set([...taken].map(({ rank }) => rank));
  let rank = 0;
  while (ranks.has(rank)) rank++;
  return rank;
}

/**
 * Renumbers the members 0…n−1, skipping ranks that other replicas hold. Only members with a rank beyond that move, the lowest
 * first, and only to a free rank: no two replicas have the same rank at the same time.
 *
 * @param others stopping replicas, which keep their ranks
 */
export function renumber<T extends Ranked>(members: readonly T[], others: Iterable<Ranked>): Map<T, number> {
  const taken: Ranked[] = [...members, ...others];
  const beyond = members.filter(({ rank }) => rank >= members.length).sort((a, b) => a.rank - b.rank);
  const moves = new Map<T, number>();
  for (const member of beyond) {
    const rank = freeRank(taken);
    if (rank >= members.length) break;
    taken.push({ rank });
    moves.set(member, rank);
  }
  return moves;
}
