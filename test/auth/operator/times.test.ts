/** Windows of the day: those around midnight, the longest of several, zones. */
import { expect, test } from "bun:test";
import { timeLeftS } from "../../../src/auth/operator/times.ts";

/** 2023-11-14 22:13:20 UTC. */
const NOW_S = 1_700_000_000;

test.each([
  ["no windows", [], Infinity],
  ["inside", [{ start: "22:00:00", end: "23:00:00" }], 46 * 60 + 40],
  ["before", [{ start: "22:13:21", end: "23:00:00" }], undefined],
  ["at the start: not yet", [{ start: "22:13:20", end: "23:00:00" }], undefined],
  ["at the end: no more", [{ start: "21:00:00", end: "22:13:20" }], undefined],
  ["over midnight, before it", [{ start: "22:00:00", end: "01:00:00" }], 2 * 3600 + 46 * 60 + 40],
  ["over midnight, outside", [{ start: "23:00:00", end: "01:00:00" }], undefined],
  ["the longest of several", [{ start: "22:00:00", end: "22:30:00" }, { start: "08:00:00", end: "23:30:00" }], 76 * 60 + 40],
] as const)("%s", (_title, times, left) => {
  expect(timeLeftS(times, "UTC", NOW_S)).toBe(left);
});

test("in a zone of its own", () => {
  expect(timeLeftS([{ start: "00:00:00", end: "07:30:00" }], "Asia/Tokyo", NOW_S)).toBe(16 * 60 + 40);
  expect(timeLeftS([{ start: "00:00:00", end: "23:59:59" }], "Nowhere/Atall", NOW_S)).toBeUndefined();
});
