package shop

// PointsPerRound and Rhythm are for tests of what cannot be seen from outside.
const PointsPerRound = pointsPerRound

// Rhythm is the demand at a moment.
var Rhythm = rhythm
