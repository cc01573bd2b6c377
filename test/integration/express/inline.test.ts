import { inline } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

inline(mountExpress);
