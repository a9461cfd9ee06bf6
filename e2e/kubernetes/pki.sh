#!/usr/bin/env bash
# Keys, certificates and kubeconfigs of the local Kubernetes, made new for each run. Source it.

# make_ca: the one authority of the cluster, and the key that signs service account tokens.
make_ca() {
  mkdir -p "$STATE/pki"
  chmod 700 "$STATE/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj "/CN=$NAME" \
    -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature \
    -keyout "$STATE/pki/ca.key" -out "$STATE/pki/ca.crt" 2>/dev/null
  openssl ecparam -genkey -name prime256v1 -noout -out "$STATE/pki/service-accounts.key"
  openssl ec -in "$STATE/pki/service-accounts.key" -pubout -out "$STATE/pki/service-accounts.pub" 2>/dev/null
}
# make_certificate FILE SUBJECT [ALTERNATIVE_NAMES]: for clients, and for servers where names are given.
make_certificate() {
  local file=$STATE/pki/$1
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$file.key" -out "$file.csr" 2>/dev/null
  {
    printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n'
    [[ -z ${3:-} ]] || printf 'subjectAltName=%s\n' "$3"
  } >"$file.ext"
  openssl x509 -req -in "$file.csr" -CA "$STATE/pki/ca.crt" -CAkey "$STATE/pki/ca.key" -days 365 \
    -set_serial "0x$(openssl rand -hex 12)" -extfile "$file.ext" -out "$file.crt" 2>/dev/null
  rm "$file.csr" "$file.ext"
}
# make_kubeconfig CERTIFICATE FILE: a kubeconfig with everything inside, so that it can be copied.
make_kubeconfig() {
  (umask 077 && cat >"$2") <<EOF
apiVersion: v1
kind: Config
clusters:
- name: kastellan
  cluster:
    server: $SERVER
    certificate-authority-data: $(base64 -w0 <"$STATE/pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"$STATE/pki/$1.crt")
    client-key-data: $(base64 -w0 <"$STATE/pki/$1.key")
contexts:
- name: kastellan
  context: {cluster: kastellan, user: $1}
current-context: kastellan
EOF
}
# make_pki: all that the control plane needs.
make_pki() {
  make_ca
  make_certificate apiserver /CN=kube-apiserver \
    "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:$SERVER_IP,IP:$SERVICE_NET.0.1"
  make_certificate apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  make_certificate admin /O=system:masters/CN=admin
  make_certificate controller-manager /CN=system:kube-controller-manager
  make_certificate scheduler /CN=system:kube-scheduler
  make_certificate proxy /CN=system:kube-proxy
  make_certificate coredns /CN=system:coredns
  local user
  for user in controller-manager scheduler proxy coredns; do
    make_kubeconfig "$user" "$STATE/pki/$user.kubeconfig"
  done
}
