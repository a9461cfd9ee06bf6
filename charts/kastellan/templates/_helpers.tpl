{{/* Image of the operator, by digest when one is given. */}}
{{- define "kastellan.image" -}}
{{- $parts := compact (list .Values.image.registry .Values.image.repository .Values.image.name) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" (join "/" $parts) .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" (join "/" $parts) (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Image of Buildah, if images are to be built: beside the operator's, unless that has no registry, and so may be on the nodes alone. */}}
{{- define "kastellan.buildah" -}}
{{- $beside := "" -}}
{{- if .Values.image.registry -}}
{{- $parts := compact (list .Values.image.registry .Values.image.repository "buildah") -}}
{{- $beside = printf "%s:%s" (join "/" $parts) .Chart.AppVersion -}}
{{- end -}}
{{- if .Values.buildah.enabled -}}{{- .Values.buildah.image | default $beside -}}{{- end -}}
{{- end -}}

{{/* Value of STRIMZI_NAMESPACE. */}}
{{- define "kastellan.watched" -}}
{{- if .Values.watchAnyNamespace -}}*{{- else -}}
{{- join "," (prepend .Values.watchNamespaces .Release.Namespace | uniq) -}}
{{- end -}}
{{- end -}}

{{- define "kastellan.labels" -}}
app: strimzi
app.kubernetes.io/name: kastellan
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The subject of every binding. */}}
{{- define "kastellan.subject" -}}
- kind: ServiceAccount
  name: {{ .Values.serviceAccount }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* Every kind that people write. */}}
{{- define "kastellan.kinds" -}}
- kafkas
- kafkanodepools
- kafkatopics
- kafkausers
- kafkaconnects
- kafkaconnectors
- kafkamirrormaker2s
- kafkamirrormakers
- kafkabridges
- kafkarebalances
{{- end -}}

{{/* Labels of the operator's namespace, by which NetworkPolicies of clusters elsewhere know it. */}}
{{- define "kastellan.operatorNamespaceLabels" -}}
{{- $labels := .Values.operatorNamespaceLabels | default (dict "kubernetes.io/metadata.name" .Release.Namespace) -}}
{{- $pairs := list -}}
{{- range $name, $value := $labels }}{{ $pairs = append $pairs (printf "%s=%s" $name $value) }}{{ end -}}
{{- join "," $pairs -}}
{{- end -}}
