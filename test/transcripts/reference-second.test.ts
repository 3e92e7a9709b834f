/** The reference server in the transcripts of the second half of the folders. */
import { runOnReferenceServer } from './all.ts';

runOnReferenceServer('second');
