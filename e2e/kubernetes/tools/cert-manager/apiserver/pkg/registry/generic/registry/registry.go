// Package registry has what cert-manager's controllers use of the package of this name.
package registry

// OptimisticLockErrorMsg is what an API server answers to a change of an object that has changed since it was read. It must be the text
// of the real servers: cert-manager's controllers look for it, and then try again without calling that an error.
const OptimisticLockErrorMsg = "the object has been modified; please apply your changes to the latest version and try again"
