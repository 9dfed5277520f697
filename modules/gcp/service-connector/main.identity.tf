locals {
  # The hash keeps two connectors apart whose joined names read the same; 30 characters is Google's limit.
  account_id = "${substr("${var.stack}-${replace(var.name, "_", "-")}", 0, 19)}-${substr(sha256("${var.stack}/${var.name}"), 0, 10)}"

  # One role and no more for each who may use it. An identity of another provider (a workload identity pool's)
  # is named by a principal identifier, and takes the role that was made for those.
  trust = {
    for principal in var.trusted_principals : principal => (
      startswith(principal, "principal") ? "roles/iam.workloadIdentityUser" : "roles/iam.serviceAccountTokenCreator"
    )
  }
}

resource "google_service_account" "this" {
  account_id   = local.account_id
  project      = var.project
  display_name = substr("stack-provisioner: ${var.stack}/${var.name}", 0, 100)
}

# On this one service account: nobody is trusted with another, and nobody who was trusted before is touched.
resource "google_service_account_iam_member" "trust" {
  for_each = local.trust

  service_account_id = google_service_account.this.name
  role               = each.value
  member             = each.key
}
