// Modules of which build.sh takes definitions of other people's kinds, for the end-to-end tests of listeners and for the tests of OpenShift's builds.
module kastellan.io/e2e/definitions

go 1.24.0

require (
	github.com/openshift/api v0.0.0-20230607130528-611114dca681
	sigs.k8s.io/gateway-api v1.5.0
)
