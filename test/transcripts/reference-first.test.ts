/** The reference server in the transcripts of the first half of the folders. */
import { runOnReferenceServer } from './all.ts';

runOnReferenceServer('first');
