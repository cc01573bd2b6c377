import { streaming } from '../http-conformance.ts';
import { mountExpress } from './mount.ts';

streaming(mountExpress);
