// SPDX-License-Identifier: Apache-2.0
// Empty: with it the compiler takes a function without a body, for go:linkname.
