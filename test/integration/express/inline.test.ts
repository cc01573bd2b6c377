import { inline } from '../every-framework/suites.ts';
import { mountExpress } from './mount.ts';

inline(mountExpress);
