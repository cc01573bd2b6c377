/** Ends a process and its process group at once. A process that no longer exists is not an error. */
export function killGroup(pid: number): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
  } catch {
    // The group is gone.
  }
}
